"""Multiply large matrices in fp8: weights and activations.

Weights are quantised once, when the model is loaded, with a scale for each output; activations are
quantised in each pass, with a scale for each token. Products are summed in float32 and returned in
bf16. The arithmetic says which products these are: the experts' (`fp8-experts`), the language
model's projections too (`fp8`), or also those of the vision tower's blocks (`fp8-vision`). Router,
norms, attention itself, embeddings, `lm_head`, mergers and the sound tower stay in bf16: they take
a small part of the time, and the router's choices are discrete.

On a GPU the kernels are torch's own (compute capability 9.0 or newer), or for experts ours, which
`ah_ray/omni/model/experts.py` chooses between. A CPU has no such kernel for
experts, so the same quantised numbers are multiplied in float32 there: the arithmetic can be tested
on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.model.fused_ops import gate_and_quantise, quantise, quantise_weights


class Fp8Linear(nn.Module):
    """A linear layer: [..., K] bf16 → [..., N] bf16."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight, scale = quantise_weights(linear.weight.detach())
        self.weight = nn.Buffer(weight)  # [N, K]
        self.scale = nn.Buffer(scale)  # [N]
        self.bias = None if linear.bias is None else nn.Buffer(linear.bias.detach())  # [N]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Quantise each row of x, and multiply."""
        rows, scale = quantise(x.flatten(0, -2))
        return self.multiply(rows, scale).view(*x.shape[:-1], -1)

    def multiply(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Multiply activations [M, K] that are already quantised, with their scale [M]."""
        return multiply_fp8(x, scale, self.weight, self.scale, self.bias)


def multiply_fp8(
    x: torch.Tensor,
    scale: torch.Tensor,
    weight: torch.Tensor,
    weight_scale: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the product [M, N] bf16 of quantised x [M, K] and weights [N, K], each with scales."""
    if x.device.type == "cpu":
        product = _dequantise(x, scale) @ _dequantise(weight, weight_scale).mT
        return (product if bias is None else product + bias.float()).to(torch.bfloat16)
    return torch._scaled_mm(
        x,
        weight.t(),
        scale_a=scale[:, None],
        scale_b=weight_scale[None],
        bias=bias,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )


class Fp8Experts(nn.Module):
    """A layer's experts: each token's rows go through the expert that they are sorted to."""

    gate_up: torch.Tensor  # [E, N, K]
    gate_up_scale: torch.Tensor  # [E, N]
    down: torch.Tensor
    down_scale: torch.Tensor

    def __init__(self, experts: nn.Module):
        super().__init__()
        for name in ("gate_up", "down"):
            weights = getattr(experts, f"{name}_proj").detach()
            small = torch.empty_like(weights, dtype=torch.float8_e4m3fn)
            scales = weights.new_empty(weights.shape[:2], dtype=torch.float32)
            # One expert at a time: float32 copies of all of them at once may not fit.
            for expert, weight in enumerate(weights):
                one, scales[expert] = quantise_weights(weight)
                small[expert].copy_(one)
            self.register_buffer(name, small)
            self.register_buffer(f"{name}_scale", scales)

    def forward(self, x: torch.Tensor, token: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """Return [N, D] bf16 for tokens [S, D] bf16.

        `token` [N] is the token of each row, and `ends` [E] int32 is where each expert's rows end.
        Tokens are quantised before they are copied to their experts' rows.
        """
        rows, scale = quantise(x)
        rows = rows.view(torch.uint8)[token].view(rows.dtype)  # bytes are what every kernel gathers
        gate_up = _multiply_grouped(rows, scale[token], self.gate_up, self.gate_up_scale, ends)
        inner, inner_scale = gate_and_quantise(gate_up)
        return _multiply_grouped(inner, inner_scale, self.down, self.down_scale, ends)


def _multiply_grouped(
    rows: torch.Tensor,
    scale: torch.Tensor,
    weights: torch.Tensor,
    weight_scale: torch.Tensor,
    ends: torch.Tensor,
) -> torch.Tensor:
    """Multiply rows [N, K] sorted by expert by weights [E, M, K] and return [N, M] bf16."""
    if rows.device.type == "cpu":
        wide = _dequantise(weights, weight_scale)
        return F.grouped_mm(_dequantise(rows, scale), wide.mT, offs=ends).to(torch.bfloat16)
    return torch._scaled_grouped_mm(
        rows,
        weights.mT,
        scale,
        weight_scale,
        offs=ends,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )


def _dequantise(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return x.float() * scale[..., None]


_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
_DENSE = ("gate_proj", "up_proj", "down_proj")


def quantise_model(model: Any, arithmetic: Arithmetic) -> None:
    """Replace the layers that this arithmetic computes in fp8, one by one, in place.

    `model` holds `language_model` and `visual`. What is quantised already stays as it is. Raise
    ConfigError if the kernels cannot take their sizes.
    """
    for layer in model.language_model.layers:
        if hasattr(layer.mlp, "experts") and not isinstance(layer.mlp.experts, Fp8Experts):
            _check_size(layer.mlp.experts.gate_up_proj, arithmetic)
            _check_size(layer.mlp.experts.down_proj, arithmetic)
            layer.mlp.experts = Fp8Experts(layer.mlp.experts)
        if arithmetic is not Arithmetic.FP8_EXPERTS:
            _quantise_linears(layer.self_attn, _PROJECTIONS, arithmetic)
            _quantise_linears(layer.mlp, _DENSE, arithmetic)
    if arithmetic is Arithmetic.FP8_VISION:
        for block in model.visual.blocks:
            _quantise_linears(block.attn, ("qkv", "proj"), arithmetic)
            _quantise_linears(block.mlp, ("linear_fc1", "linear_fc2"), arithmetic)


def _quantise_linears(part: nn.Module, names: Sequence[str], arithmetic: Arithmetic) -> None:
    for name in names:
        linear = getattr(part, name, None)
        if isinstance(linear, nn.Linear):
            _check_size(linear.weight, arithmetic)
            setattr(part, name, Fp8Linear(linear))


def _check_size(weight: torch.Tensor, arithmetic: Arithmetic) -> None:
    if weight.shape[-1] % 16 or weight.shape[-2] % 16:
        raise ConfigError(
            f"--arithmetic {arithmetic}: a layer of {weight.shape[-2]}×{weight.shape[-1]} does not "
            "divide into 16s, as fp8 kernels need; use bf16"
        )
