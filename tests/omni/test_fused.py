"""The fused arithmetic: what it computes, and that it can be compiled as one piece."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from transformers.models.qwen3_omni_moe import modeling_qwen3_omni_moe as reference

from ah_ray.omni import fused


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


ANGLES = (draw(7, 8, seed=1).cos(), draw(7, 8, seed=1).sin())
PLACE = torch.randperm(21, generator=torch.Generator().manual_seed(2)).view(7, 3)
CASES = {
    "rms_norm": (draw(7, 16), draw(16), 1e-6),
    "rotate": (draw(7, 2, 8), *ANGLES),
    "norm_and_rotate": (draw(7, 2, 8), draw(8), 1e-6, *ANGLES),
    "gate": (draw(7, 16),),
    "combine": (draw(21, 16), PLACE, draw(7, 3)),
    "interpolate": (draw(9, 16), torch.arange(28).view(7, 4) % 9, draw(7, 4)),
    "quantise": (draw(7, 16),),
    "gate_and_quantise": (draw(7, 16),),
}


@pytest.mark.parametrize("name", CASES)
def test_it_compiles_as_one_piece_for_every_length(name):
    function, counter = getattr(fused, name), CompileCounter()
    piece = fused.one_kernel(function.__wrapped__, function.fixed, counter)
    for n_tokens in (7, 5, 4):
        case = [shorter(argument, n_tokens, i) for i, argument in enumerate(CASES[name])]
        if name in ("rms_norm", "norm_and_rotate"):
            case[1] = CASES[name][1]
        if name == "interpolate":
            case[0] = CASES[name][0]
        assert same(piece(*case), function(*case))
    assert counter.frame_count == 1


def shorter(argument, n_tokens: int, place: int):
    """Fewer tokens; rows of experts, which come first, stay as many."""
    if not isinstance(argument, torch.Tensor) or (place == 0 and len(argument) > 20):
        return argument
    return argument[:n_tokens].clone()


@pytest.mark.heavy
@pytest.mark.parametrize("name", CASES)
def test_its_one_kernel_gives_the_same(name):
    function = getattr(fused, name)
    piece = fused.one_kernel(function.__wrapped__, function.fixed)
    assert same(piece(*CASES[name]), function(*CASES[name]))


def same(found, expected) -> bool:
    if isinstance(expected, tuple):
        return all(same(*pair) for pair in zip(found, expected, strict=True))
    assert found.dtype == expected.dtype
    # A last bit of float32 may round a value to the neighbour in 8 bits.
    tolerance = 0.07 if expected.dtype == torch.float8_e4m3fn else 1e-5
    return torch.allclose(found.float(), expected.float(), rtol=tolerance, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_norm_is_transformers(dtype):
    norm = reference.Qwen3OmniMoeThinkerTextRMSNorm(16, eps=1e-6).to(dtype)
    norm.weight.data = draw(16, seed=3).to(dtype)
    x = draw(5, 16).to(dtype)
    assert torch.equal(fused.rms_norm(x, norm.weight, 1e-6), norm(x))


def test_the_rotation_is_transformers():
    query, (cos, sin) = draw(7, 2, 8), ANGLES
    expected, _ = reference.apply_rotary_pos_emb(query, query, cos, sin)
    assert torch.allclose(fused.rotate(query, cos, sin), expected, atol=1e-6)


def test_each_token_gets_its_own_experts_words():
    rows, place, weights = CASES["combine"]
    expected = torch.stack(
        [
            sum(w * rows[p] for w, p in zip(token_weights, token, strict=True))
            for token_weights, token in zip(weights, place, strict=True)
        ]
    )
    assert torch.allclose(fused.combine(rows, place, weights), expected, atol=1e-6)
