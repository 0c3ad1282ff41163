"""fp8 arithmetic: emulated on a CPU, and its calls checked by torch on tensors without memory."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip
from hypothesis import given
from hypothesis import strategies as st
from random_experts import Experts, draw
from torch import nn
from torch.nn import functional as F

from ah_ray.config import FP8_KINDS, Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.model.capability import check_device
from ah_ray.omni.model.fp8 import Fp8Experts, Fp8Linear, quantise_model
from ah_ray.omni.model.fused_ops import quantise
from ah_ray.omni.model.loading import load_model, prepare_model
from ah_ray.omni.model.thinker import Thinker
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


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(30, 64), (2, 15, 64)])
def test_a_linear_layer(bias, shape):
    linear = nn.Linear(64, 48, bias=bias, dtype=torch.bfloat16)
    x = draw(*shape)
    exact = F.linear(x.float(), linear.weight.float(), linear.bias.float() if bias else None)
    found = Fp8Linear(linear)(x)
    assert (found.dtype, found.shape) == (torch.bfloat16, (*shape[:-1], 48))
    assert (found.float() - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize("bias", [False, True])
def test_the_emulation_is_what_torchs_kernel_computes(bias):
    """Its CPU version, called as the GPU's is."""
    linear = Fp8Linear(nn.Linear(64, 48, bias=bias, dtype=torch.bfloat16))
    x, scale = quantise(draw(30, 64))
    kernel = torch._scaled_mm(
        x,
        linear.weight.t(),
        scale_a=scale[:, None],
        scale_b=linear.scale[None],
        bias=linear.bias,
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
    text = nn.Module()
    layer = nn.Module()
    layer.self_attn, layer.mlp = nn.Module(), nn.Module()
    layer.self_attn.q_proj = nn.Linear(40, 32, bias=False)
    text.layers = [layer]
    model = SimpleNamespace(language_model=text)
    with pytest.raises(ConfigError, match=r"fp8: a layer of 32×40 does not divide .*; use bf16"):
        quantise_model(model, Arithmetic.FP8)


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


QUANTISED = {
    Arithmetic.FP8_EXPERTS: {"mlp.experts"},
    Arithmetic.FP8: {"mlp.experts", "self_attn"},
    Arithmetic.FP8_VISION: {"mlp.experts", "self_attn", "attn", "mlp"},
}


@pytest.mark.parametrize("arithmetic", FP8_KINDS)
def test_each_kind_quantises_its_own_products(tiny, profile, arithmetic):
    """And P(A/H) of the demonstration model stays near (benchmarks/README.md, Scorer)."""
    clips = [draw_clip(seed) for seed in range(6)]
    eight, plain = (
        OmniScorer.load(tiny, profile=profile, arithmetic=given, device="cpu")
        for given in (arithmetic, Arithmetic.BF16)
    )
    thinker = eight._thinker
    found = set()
    for part in (*thinker._text.layers, *thinker._visual.blocks):
        for name, module in part.named_modules():
            if isinstance(module, Fp8Linear | Fp8Experts):
                found.add(name if isinstance(module, Fp8Experts) else name.rpartition(".")[0])
    assert found == QUANTISED[arithmetic]
    apart = np.abs(p_of(eight, clips) - p_of(plain, clips))
    assert apart.max() > 0 and apart.mean() < 0.1


def test_a_model_goes_from_fewer_products_to_more(tiny, profile):
    """As `benchmarks/gpu.py` does, with one model in memory."""
    model = load_model(tiny, Arithmetic.FP8_EXPERTS, [torch.device("cpu")], (), print)
    other = load_model(tiny, Arithmetic.FP8_VISION, [torch.device("cpu")], (), print)
    experts = model.model.language_model.layers[0].mlp.experts
    prepare_model(model, Arithmetic.FP8_VISION)
    clips = [draw_clip(seed) for seed in range(2)]
    assert model.model.language_model.layers[0].mlp.experts is experts
    found, expected = (
        OmniScorer.from_thinker(Thinker(given), load_tokenizer(tiny), profile, 4_096)
        for given in (model, other)
    )
    assert (p_of(found, clips) == p_of(expected, clips)).all()


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
