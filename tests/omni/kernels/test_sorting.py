"""The counting sort against torch's: unchosen experts, one token, blocks that are cut."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ah_ray.omni.kernels.sorting import sort_by_expert
from ah_ray.omni.model import fused_ops

quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_sorted(chosen: torch.Tensor, n_experts: int) -> None:
    expected = fused_ops.sort_by_expert.__wrapped__(chosen, n_experts)
    for found, wanted in zip(sort_by_expert(chosen, n_experts), expected, strict=True):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        assert torch.equal(found, wanted)


@quick
@given(
    n_tokens=st.integers(1, 150),
    k=st.integers(1, 4),
    n_experts=st.sampled_from([4, 5, 8, 16, 128]),
    seed=st.integers(0, 1000),
    skewed=st.booleans(),
)
def test_choices_go_where_a_stable_sort_puts_them(device, n_tokens, k, n_experts, seed, skewed):
    generator = torch.Generator().manual_seed(seed)
    most = max(1, n_experts // 8) if skewed else n_experts
    chosen = torch.randint(most, (n_tokens, k), generator=generator).to(device)
    assert_sorted(chosen, n_experts)


@pytest.mark.parametrize("expert", [0, 6, 7])
def test_everybody_chooses_one_expert(device, expert):
    assert_sorted(torch.full((70, 2), expert, device=device), 8)
