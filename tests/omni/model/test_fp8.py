"""fp8 arithmetic: emulated on a CPU, and its calls checked by torch on tensors without memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip
from hypothesis import given
from hypothesis import strategies as st
from random_experts import Experts, draw
from torch import nn
from torch.nn import functional as F

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.model.capability import check_device
from ah_ray.omni.model.fp8 import Fp8Experts, Fp8Linear, quantise_language_model
from ah_ray.omni.model.fused_ops import quantise
from ah_ray.omni.scorer import OmniScorer


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20))
def test_a_row_loses_little(row):
    """Half a unit in the last of three bits, and next to nothing where a value is very small."""
    x = torch.tensor([row])
    small, scale = quantise(x)
    error = (small.float() * scale[:, None] - x).abs()
    assert (error <= x.abs() / 16 + scale * 2**-10 * 1.001).all()


def test_rows_of_zeros_and_of_nonsense_stay_among_themselves():
    x = torch.stack([torch.zeros(16), torch.full((16,), torch.nan), torch.ones(16)])
    small, scale = quantise(x)
    wide = small.float() * scale[:, None]
    assert (wide[0] == 0).all() and wide[1].isnan().all() and torch.allclose(wide[2], x[2])


def test_a_linear_layer():
    linear = nn.Linear(64, 48, bias=False, dtype=torch.bfloat16)
    x = draw(30, 64)
    exact = F.linear(x.float(), linear.weight.float())
    found = Fp8Linear(linear)(x)
    assert found.dtype == torch.bfloat16
    assert (found.float() - exact).norm() / exact.norm() < 0.05


def test_the_emulation_is_what_torchs_kernel_computes():
    """Its CPU version, called as the GPU's is."""
    linear = Fp8Linear(nn.Linear(64, 48, bias=False, dtype=torch.bfloat16))
    x, scale = quantise(draw(30, 64))
    kernel = torch._scaled_mm(
        x,
        linear.weight.t(),
        scale_a=scale[:, None],
        scale_b=linear.scale[None],
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )
    assert torch.allclose(linear.multiply(x, scale), kernel, rtol=1e-2, atol=1e-3)


def test_experts():
    """Against each expert's own products in float32; the third is asked by nobody."""
    experts = Experts(4, 32, 16)
    x, token = draw(6, 32), torch.tensor([0, 3, 5, 1, 2, 4, 0, 5])
    ends = torch.tensor([3, 5, 5, 8], dtype=torch.int32)
    found = Fp8Experts(experts)(x, token, ends)
    start, expected = 0, []
    for expert, end in enumerate(ends.tolist()):
        rows = x[token[start:end]].float()
        gates, ups = F.linear(rows, experts.gate_up_proj[expert].float()).chunk(2, -1)
        expected.append(F.linear(F.silu(gates) * ups, experts.down_proj[expert].float()))
        start = end
    expected = torch.cat(expected)
    assert (found.float() - expected).norm() / expected.norm() < 0.15


def test_the_gpus_kernels_take_what_they_are_given():
    """torch checks types, shapes and strides on tensors that have no memory; at released sizes."""
    with torch.device("meta"):
        linear = Fp8Linear(nn.Linear(2048, 4096, bias=False, dtype=torch.bfloat16))
        experts = Experts.__new__(Experts)
        nn.Module.__init__(experts)
        experts.gate_up_proj = nn.Parameter(torch.empty(8, 1536, 2048, dtype=torch.bfloat16))
        experts.down_proj = nn.Parameter(torch.empty(8, 2048, 768, dtype=torch.bfloat16))
        x = torch.empty(100, 2048, dtype=torch.bfloat16)
        token = torch.empty(800, dtype=torch.long)
        ends = torch.empty(8, dtype=torch.int32)
        assert linear(x).shape == (100, 4096)
        said = Fp8Experts(experts)(x, token, ends)
    assert (said.shape, said.dtype) == ((800, 2048), torch.bfloat16)


def test_sizes_that_no_kernel_takes():
    model = nn.Module()
    layer = nn.Module()
    layer.self_attn, layer.mlp = nn.Module(), nn.Module()
    layer.self_attn.q_proj = nn.Linear(40, 32, bias=False)
    model.layers = [layer]
    with pytest.raises(ConfigError, match=r"32×40 does not divide into 16s.*; use bf16"):
        quantise_language_model(model)


def test_older_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "L40S")
    with pytest.raises(ConfigError, match=r"9.0 or newer, and this one \(L40S\) has 8.9; use bf16"):
        check_device(Arithmetic.FP8, torch.device("cuda"))


@pytest.fixture(scope="module")
def scorers(tiny, profile):
    return [
        OmniScorer.load(tiny, profile=profile, arithmetic=arithmetic, device="cpu")
        for arithmetic in (Arithmetic.FP8, Arithmetic.BF16)
    ]


def p_of(scorer, clips) -> np.ndarray:
    return np.array([score.p_ah for score in scorer.score(clips)])


def test_scores_are_near_those_of_bf16(scorers):
    clips = [draw_clip(seed) for seed in range(12)]
    fp8, bf16 = (p_of(scorer, clips) for scorer in scorers)
    assert 0 < np.abs(fp8 - bf16).mean() < 0.1


def test_a_clip_that_overflows_costs_only_itself(scorers):
    fp8 = scorers[0]
    clips = [draw_clip(seed) for seed in range(3)]
    loud = replace(clips[1], samples=np.full_like(clips[1].samples, 1e38))
    with_loud = fp8.score([clips[0], loud, clips[2]])
    assert with_loud[1].p_ah is None
    alone = [fp8.score([clip])[0].p_ah for clip in (clips[0], clips[2])]
    assert np.abs(np.array([with_loud[0].p_ah, with_loud[2].p_ah]) - alone).max() < 0.03
