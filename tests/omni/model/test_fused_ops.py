"""The arithmetic between products, as plain torch computes it, and where it runs."""

import logging
import sys

import pytest
import torch
from transformers.models.qwen3_omni_moe import modeling_qwen3_omni_moe as reference

from ah_ray.omni.model import fused_ops


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


ANGLES = (draw(7, 8, seed=1).cos(), draw(7, 8, seed=1).sin())
PLACE = torch.randperm(21, generator=torch.Generator().manual_seed(2)).view(7, 3)


class OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


def test_a_gpu_gets_the_kernel_of_the_same_name(monkeypatch):
    class Kernels:
        def gate(self, x):
            return f"gate of {tuple(x.shape)}"

    monkeypatch.setattr(fused_ops, "load_kernels", Kernels)
    assert fused_ops.gate(draw(3, 8).as_subclass(OnGpu)) == "gate of (3, 8)"
    assert fused_ops.gate(draw(3, 8)).shape == (3, 4)


def test_without_triton_it_says_so_and_runs_plain(monkeypatch, caplog):
    fused_ops.load_kernels.cache_clear()
    for name in ("triton", *fused_ops.KERNEL_MODULES):
        monkeypatch.setitem(sys.modules, name, None)
    try:
        with caplog.at_level(logging.WARNING):
            found = fused_ops.gate(draw(3, 8).as_subclass(OnGpu))
    finally:
        fused_ops.load_kernels.cache_clear()
    assert torch.equal(found.as_subclass(torch.Tensor), fused_ops.gate(draw(3, 8)))
    assert "plain torch instead of Triton's kernels" in caplog.text


def test_weights_are_quantised_by_plain_torch(monkeypatch):
    """A kernel would be compiled for each shape, while the model loads."""
    monkeypatch.setattr(fused_ops, "load_kernels", lambda: pytest.fail("a kernel was asked for"))
    weights = draw(5, 16).as_subclass(OnGpu)
    assert fused_ops.quantise_weights(weights)[1].shape == (5,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_norm_is_transformers(dtype):
    norm = reference.Qwen3OmniMoeThinkerTextRMSNorm(16, eps=1e-6).to(dtype)
    norm.weight.data = draw(16, seed=3).to(dtype)
    x = draw(5, 16).to(dtype)
    assert torch.equal(fused_ops.rms_norm(x, norm.weight, 1e-6), norm(x))


def test_the_rotation_is_transformers():
    query, (cos, sin) = draw(7, 2, 8), ANGLES
    expected, _ = reference.apply_rotary_pos_emb(query, query, cos, sin)
    assert torch.allclose(fused_ops.rotate(query, cos, sin), expected, atol=1e-6)


def test_each_token_gets_its_own_experts_words():
    rows, place, weights = draw(21, 16), PLACE, draw(7, 3)
    expected = torch.stack(
        [
            sum(w * rows[p] for w, p in zip(token_weights, token, strict=True))
            for token_weights, token in zip(weights, place, strict=True)
        ]
    )
    assert torch.allclose(fused_ops.combine(rows, place, weights), expected, atol=1e-6)
