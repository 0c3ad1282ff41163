"""The experts' products against products written out: ragged and empty experts, one token."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_experts import Experts
from torch.nn import functional as F

from ah_ray.omni.kernels import experts as kernels
from ah_ray.omni.kernels.blocks import Blocks
from ah_ray.omni.model import fused_ops
from ah_ray.omni.model.experts import KernelExperts, run_by_torch
from ah_ray.omni.model.fp8 import Fp8Experts

TILES = Blocks(rows=16, columns=16, depth=16, warps=4, stages=2)
FP8_TILES = Blocks(rows=64, columns=32, depth=32, warps=4, stages=2)
HOPPER = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (9, 0)
needs_fp8 = pytest.mark.skipif(
    torch.cuda.is_available() and not HOPPER, reason="fp8 products need a GPU of SM90 or newer"
)


def quick(n: int):
    return settings(
        max_examples=n,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


class Layer:
    """A layer with experts, and few tokens that choose k experts each."""

    def __init__(self, device, n_tokens, k, n_experts, width, inner, unchosen, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator).to(device)

        self.x = draw(n_tokens, width)
        self.gate_up = draw(n_experts, 2 * inner, width) / width**0.5
        self.down = draw(n_experts, width, inner) / inner**0.5
        self.shares = draw(n_tokens, k).softmax(-1)
        n_chosen = max(k, n_experts - unchosen)
        ranks = torch.rand(n_tokens, n_chosen, generator=generator)
        self.chosen = ranks.topk(k, dim=-1).indices.to(device)
        self.choice, _, self.ends = fused_ops.sort_by_expert.__wrapped__(self.chosen, n_experts)

    def write_out(self) -> torch.Tensor:
        """Each token through each of its experts, in float32: [S, D]."""
        out = torch.zeros_like(self.x, dtype=torch.float32)
        for token, experts in enumerate(self.chosen.tolist()):
            for expert, share in zip(experts, self.shares[token].float(), strict=True):
                gates, ups = (self.gate_up[expert].float() @ self.x[token].float()).chunk(2)
                out[token] += share * (self.down[expert].float() @ (F.silu(gates) * ups))
        return out

    def compute(self) -> torch.Tensor:
        inner = kernels.multiply_gate_up(self.x, self.gate_up, self.choice, self.ends, TILES)
        rows = kernels.multiply_down(inner, self.down, self.choice, self.ends, self.shares, TILES)
        return kernels.sum_choices(rows, torch.float32)


SHAPES = {
    "n_tokens": st.sampled_from([1, 2, 5, 9]),
    "k": st.integers(1, 3),
    "width": st.sampled_from([16, 24, 32]),
    "inner": st.sampled_from([16, 20]),
    "unchosen": st.integers(0, 3),
    "seed": st.integers(0, 99),
}


@quick(4)
@given(**SHAPES)
def test_in_float32_they_are_the_products_written_out(device, **shape):
    layer = Layer(device, n_experts=5, **shape)
    torch.testing.assert_close(layer.compute(), layer.write_out(), rtol=2e-5, atol=2e-5)


@quick(3)
@given(**SHAPES)
def test_bf16_loses_no_more_than_its_rounding(device, **shape):
    layer = Layer(device, n_experts=5, **shape)
    for name in ("x", "gate_up", "down", "shares"):
        setattr(layer, name, getattr(layer, name).to(torch.bfloat16))
    expected = layer.write_out()
    tolerance = 1e-5 if device.type == "cpu" else 2**-6  # the interpreter computes in float32
    assert (layer.compute() - expected).norm() <= tolerance * expected.norm()


@needs_fp8
@quick(3)
@given(**SHAPES | {"width": st.sampled_from([32, 48]), "inner": st.sampled_from([32, 64])})
def test_fp8_is_the_product_of_the_quantised_numbers(device, **shape):
    layer = Layer(device, n_experts=5, **shape)
    x, x_scale = fused_ops.quantise.__wrapped__(layer.x)
    gate_up, gate_up_scale = fused_ops.quantise_weights(layer.gate_up)
    inner = kernels.multiply_gate_up(
        x, gate_up, layer.choice, layer.ends, FP8_TILES, (x_scale, gate_up_scale)
    )
    token = layer.choice // layer.chosen.shape[1]
    start, expected = 0, []
    for expert, end in enumerate(layer.ends.tolist()):
        rows = x.float()[token[start:end]] * x_scale[token[start:end], None]
        wide = gate_up[expert].float() * gate_up_scale[expert][:, None]
        gates, ups = (rows @ wide.T).chunk(2, -1)
        expected.append(F.silu(gates) * ups)
        start = end
    expected = torch.cat(expected)
    assert (inner.float() - expected).norm() <= 0.02 * expected.norm() + 1e-6
    rows, row_scale = fused_ops.quantise.__wrapped__(inner)
    down, down_scale = fused_ops.quantise_weights(layer.down)
    found = kernels.multiply_down(
        rows, down, layer.choice, layer.ends, layer.shares, FP8_TILES, (row_scale, down_scale)
    )
    experts = layer.chosen.flatten()[layer.choice]
    wide = down.float()[experts] * down_scale[experts][..., None]
    products = (wide @ (rows.float() * row_scale[:, None])[..., None])[..., 0]
    weighted = torch.empty_like(products)
    weighted[layer.choice] = products * layer.shares.flatten()[layer.choice][:, None]
    apart = (found.flatten(0, 1).float() - weighted).norm()
    assert apart <= 0.02 * weighted.norm() + 1e-6


@quick(12)
@given(counts=st.lists(st.integers(0, 40), min_size=1, max_size=9).filter(any))
def test_tiles_hold_each_row_of_each_expert_once(device, counts):
    ends = torch.tensor(counts, device=device).cumsum(0).to(torch.int32)
    n_rows = int(ends[-1])
    tiles = kernels.map_tiles(ends, n_rows, 16)
    found = [
        (expert, row)
        for expert, first, stop in zip(*(part.tolist() for part in tiles), strict=True)
        for row in range(first, min(first + 16, stop))
    ]
    expected = [expert for expert, count in enumerate(counts) for _ in range(count)]
    assert found == list(zip(expected, range(n_rows), strict=True))


def test_no_tokens_at_all(device):
    assert kernels.sum_choices(torch.zeros(0, 2, 8, device=device), torch.float32).shape == (0, 8)


@pytest.mark.parametrize("eight_bits", [False, pytest.param(True, marks=needs_fp8)])
def test_both_ways_through_a_layer_agree(device, eight_bits):
    """The ways that a model takes, with the tiles that it takes for few rows."""
    experts = Experts(4, 64, 48).to(device)
    layer = Layer(device, n_tokens=9, k=2, n_experts=4, width=64, inner=48, unchosen=1)
    given_ = Fp8Experts(experts) if eight_bits else experts
    x, shares = layer.x.to(torch.bfloat16), layer.shares.to(torch.bfloat16)
    expected = run_by_torch(given_, x, shares, layer.chosen)
    found = KernelExperts({})(given_, x, shares, layer.chosen)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    apart = (found.float() - expected.float()).norm() / expected.float().norm()
    assert apart < (0.05 if eight_bits else 0.01)
