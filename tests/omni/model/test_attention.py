"""Attention inside each segment, against a softmax written out."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.omni.model.attention import (
    Segments,
    attend_packed,
    choose_gpu_kernel,
    describe_attention,
)


def written_out(query, key, value, causal: bool) -> torch.Tensor:
    """[H, Lq, D] and [Hkv, Lk, D] → [Lq, H, D]; the queries are the last of the segment."""
    key, value = (kv.repeat_interleave(len(query) // len(kv), 0) for kv in (key, value))
    weights = query @ key.mT / 8
    n_q, n_k = weights.shape[1:]
    if causal:
        later = torch.arange(n_k) > torch.arange(n_k - n_q, n_k)[:, None]
        weights = weights.masked_fill(later, -torch.inf)
    return (weights.softmax(-1) @ value).transpose(0, 1)


def boundaries(lengths) -> torch.Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def attend_pack(query, key, value, lengths_q, lengths_k, causal, device="cpu") -> torch.Tensor:
    module = SimpleNamespace(is_causal=causal)
    attended, weights = attend_packed(
        module,
        *(tensor[None].to(device) for tensor in (query, key, value)),
        None,
        scaling=1 / 8,
        cu_seq_lens_q=boundaries(lengths_q).to(device),
        cu_seq_lens_k=boundaries(lengths_k).to(device),
        max_length_q=max(lengths_q),
        max_length_k=max(lengths_k),
    )
    assert weights is None
    return attended[0].cpu()


def draw(lengths_q, lengths_k, dtype=torch.float32):
    generator = torch.Generator().manual_seed(sum(lengths_k))
    shapes = [(4, sum(lengths_q), 64), (2, sum(lengths_k), 64), (2, sum(lengths_k), 64)]
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def segment_by_segment(tensors, lengths_q, lengths_k, causal) -> torch.Tensor:
    query, key, value = tensors
    parts = zip(
        query.split(lengths_q, 1), key.split(lengths_k, 1), value.split(lengths_k, 1), strict=True
    )
    return torch.cat([written_out(*part, causal) for part in parts])


LENGTHS = st.lists(st.sampled_from([1, 2, 3, 3, 3, 7, 20]), min_size=1, max_size=8)


@given(LENGTHS, st.booleans())
def test_segments_see_only_themselves(lengths, causal):
    tensors = draw(lengths, lengths)
    expected = segment_by_segment(tensors, lengths, lengths, causal)
    found = attend_pack(*tensors, lengths, lengths, causal)
    assert torch.allclose(found, expected, atol=1e-5)


@given(LENGTHS, st.integers(1, 3))
def test_last_queries_alone_are_those_of_all(lengths, n_q):
    lengths_k = [length + n_q for length in lengths]
    lengths_q = [n_q] * len(lengths)
    tensors = draw(lengths_q, lengths_k)
    expected = segment_by_segment(tensors, lengths_q, lengths_k, True)
    found = attend_pack(*tensors, lengths_q, lengths_k, True)
    assert torch.allclose(found, expected, atol=1e-5)


def test_without_boundaries_it_refuses():
    query = torch.randn(1, 4, 3, 64)
    with pytest.raises(RuntimeError, match="segment boundaries"):
        attend_packed(SimpleNamespace(is_causal=True), query, query, query, None, scaling=1.0)


@pytest.mark.gpu
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("n_q", [None, 2])
def test_the_gpus_kernel_agrees(causal, n_q):
    lengths_k = [3, 3, 700, 128, 65]
    lengths_q = lengths_k if n_q is None else [n_q] * len(lengths_k)
    if n_q and not causal:
        pytest.skip("never asked for")
    tensors = draw(lengths_q, lengths_k, torch.bfloat16)
    expected = segment_by_segment([t.float() for t in tensors], lengths_q, lengths_k, causal)
    found = attend_pack(*tensors, lengths_q, lengths_k, causal, device="cuda")
    assert torch.allclose(found.float(), expected, atol=2e-2)


FLASH_ATTN_3 = "flash_attn_interface"


def pretend_builds(monkeypatch, *builds: str, capability=(9, 0)) -> list[tuple[str, dict]]:
    """Install packages, each with or (after a `-`) without flash-attn's function; return calls."""
    calls: list[tuple[str, dict]] = []
    for name in (FLASH_ATTN_3, "fa3_fwd_interface", "flash_attn"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    for build in builds:
        module = ModuleType(build.removeprefix("-"))

        def function(q, k, v, num_splits=0, *, name=build, **options):
            calls.append((name, {"num_splits": num_splits, **options}))
            return q, "sums"

        if not build.startswith("-"):
            module.flash_attn_varlen_func = function
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    choose_gpu_kernel.cache_clear()
    return calls


@pytest.fixture(autouse=True)
def choose_again():
    yield
    choose_gpu_kernel.cache_clear()


@pytest.mark.parametrize(
    ("builds", "capability", "scoring", "learning"),
    [
        ((), (9, 0), "torch's own", "torch's own"),
        # flash-attn 4 is a package of this name, without that function.
        (("-flash_attn",), (9, 0), "torch's own", "torch's own"),
        (("flash_attn",), (8, 0), "flash-attn 2", "flash-attn 2"),
        (("flash_attn", FLASH_ATTN_3), (9, 0), "flash-attn 3", "flash-attn 3"),
        (("flash_attn", FLASH_ATTN_3), (8, 9), "flash-attn 2", "flash-attn 2"),
        (("flash_attn", "fa3_fwd_interface"), (9, 0), "flash-attn 3 (fa3-fwd)", "flash-attn 2"),
        (("-flash_attn", "fa3_fwd_interface"), (9, 0), "flash-attn 3 (fa3-fwd)", "torch's own"),
        (("fa3_fwd_interface",), (10, 0), "torch's own", "torch's own"),
    ],
)
def test_a_kernel_is_chosen_by_what_a_package_can(
    monkeypatch, builds, capability, scoring, learning
):
    pretend_builds(monkeypatch, *builds, capability=capability)
    assert choose_gpu_kernel(False).name == scoring
    assert choose_gpu_kernel(True).name == learning
    for needs_gradients, name in ((False, scoring), (True, learning)):
        said = describe_attention(torch.bfloat16, needs_gradients=needs_gradients)
        assert said == f"Attention: {name}"


def test_a_package_for_another_torch_is_passed_over(monkeypatch, caplog, tmp_path):
    pretend_builds(monkeypatch)
    (tmp_path / "flash_attn.py").write_text("raise ImportError('undefined symbol: _ZN3c10')")
    monkeypatch.delitem(sys.modules, "flash_attn")
    monkeypatch.syspath_prepend(tmp_path)
    assert choose_gpu_kernel(False).name == "torch's own"
    assert "flash_attn cannot be used: undefined symbol" in caplog.text


def test_keys_are_never_split(monkeypatch):
    calls = pretend_builds(monkeypatch, FLASH_ATTN_3)
    query = torch.ones(3, 2, 8)
    segments = Segments.for_self_attention(boundaries([3]), 3)
    found = choose_gpu_kernel(False).run(query, query, query, segments, 0.5, True)
    assert found is query
    assert calls[0][1]["num_splits"] == 1 and calls[0][1]["softmax_scale"] == 0.5
