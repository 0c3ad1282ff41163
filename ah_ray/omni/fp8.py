"""fp8 arithmetic for the language model's large products: weights and activations.

Weights are quantised once, when the model is loaded, with a scale for each output; activations on
the way, with a scale for each token. Products are summed in float32 and come out in bf16. Router,
norms, attention itself, embeddings, `lm_head` and both towers stay in bf16: they are a small part
of the time, and the router's choices are discrete.

On a GPU the kernels are torch's own (compute capability 9.0 on). A CPU has none for experts, so
there the same quantised numbers are multiplied in float32: the arithmetic can be tested anywhere.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ah_ray.errors import ConfigError
from ah_ray.omni.fused import gate_and_quantise, quantise

_CAPABILITY = (9, 0)


def check_device(device: torch.device) -> None:
    """Raises ConfigError if the device has no fp8 products."""
    if device.type == "cpu":
        return  # emulated: `--arithmetic fp8` on a CPU is for tests
    found = torch.cuda.get_device_capability(device)
    if found < _CAPABILITY:
        raise ConfigError(
            f"--arithmetic fp8 needs a GPU of compute capability 9.0 or newer, and this one "
            f"({torch.cuda.get_device_name(device)}) has {found[0]}.{found[1]}; use bf16"
        )


class Fp8Linear(nn.Module):
    """A linear layer without bias: [..., K] bf16 → [..., N] bf16."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight, scale = quantise(linear.weight.detach())
        self.weight = nn.Buffer(weight)  # [N, K]
        self.scale = nn.Buffer(scale)  # [N]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.multiply(*quantise(x))

    def multiply(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Of activations [M, K] that are quantised already, with their scale [M]."""
        if x.device.type == "cpu":
            return (_wide(x, scale) @ _wide(self.weight, self.scale).mT).to(torch.bfloat16)
        return torch._scaled_mm(
            x,
            self.weight.t(),
            scale_a=scale[:, None],
            scale_b=self.scale[None],
            out_dtype=torch.bfloat16,
            use_fast_accum=True,
        )


class Fp8Experts(nn.Module):
    """A layer's experts: each token's rows through the expert that they are sorted to."""

    def __init__(self, experts: nn.Module):
        super().__init__()
        for name in ("gate_up", "down"):
            weights = getattr(experts, f"{name}_proj").detach()
            small = torch.empty_like(weights, dtype=torch.float8_e4m3fn)
            scales = weights.new_empty(weights.shape[:2], dtype=torch.float32)
            # One expert at a time: float32 copies of all of them at once may not fit.
            for expert, weight in enumerate(weights):
                one, scales[expert] = quantise(weight)
                small[expert].copy_(one)
            self.register_buffer(name, small)  # [E, N, K]
            self.register_buffer(f"{name}_scale", scales)  # [E, N]

    def forward(self, x: torch.Tensor, token: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """Tokens [S, D] bf16; `token` [N] of each row; `ends` [E] int32 of each expert's rows.

        → [N, D] bf16. Tokens are quantised before they are copied to their experts' rows.
        """
        rows, scale = quantise(x)
        rows = rows.view(torch.uint8)[token].view(rows.dtype)  # bytes are what every kernel gathers
        gate_up = _grouped(rows, scale[token], self.gate_up, self.gate_up_scale, ends)
        return _grouped(*gate_and_quantise(gate_up), self.down, self.down_scale, ends)


def _grouped(rows, scale, weights, weight_scale, ends) -> torch.Tensor:
    """Rows [N, K] sorted by expert, weights [E, M, K] → [N, M] bf16."""
    if rows.device.type == "cpu":
        wide = _wide(weights, weight_scale)
        return F.grouped_mm(_wide(rows, scale), wide.mT, offs=ends).to(torch.bfloat16)
    return torch._scaled_grouped_mm(
        rows,
        weights.mT,
        scale,
        weight_scale,
        offs=ends,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )


def _wide(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return x.float() * scale[..., None]


def quantise_language_model(text: nn.Module) -> None:
    """Replace the large layers of the language model, one by one, in place.

    Raises ConfigError if their sizes are none that the kernels take.
    """
    for layer in text.layers:
        for part, names in (
            (layer.self_attn, ("q_proj", "k_proj", "v_proj", "o_proj")),
            (layer.mlp, ("gate_proj", "up_proj", "down_proj")),
        ):
            for name in names:
                if hasattr(part, name):
                    linear = getattr(part, name)
                    _check_size(linear.weight)
                    setattr(part, name, Fp8Linear(linear))
        if hasattr(layer.mlp, "experts"):
            _check_size(layer.mlp.experts.gate_up_proj)
            _check_size(layer.mlp.experts.down_proj)
            layer.mlp.experts = Fp8Experts(layer.mlp.experts)


def _check_size(weight: torch.Tensor) -> None:
    if weight.shape[-1] % 16 or weight.shape[-2] % 16:
        raise ConfigError(
            f"--arithmetic fp8: a layer of {weight.shape[-2]}×{weight.shape[-1]} does not divide "
            "into 16s, as fp8 kernels need; use bf16"
        )
