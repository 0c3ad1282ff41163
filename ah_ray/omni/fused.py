"""The model's element-by-element arithmetic, one kernel each on a GPU.

Between its matrix products a layer reads and writes every activation a dozen times if each step
is a kernel of its own; at thousands of tokens that costs as much as the products. On a GPU these
functions are compiled (once for all lengths of a pack); on a CPU they run as they are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature

import torch
from torch.nn import functional as F

E4M3_MAX = 448.0
"""Largest number of float8_e4m3fn."""

_SMALLEST_SCALE = 1e-12  # rows of zeros stay zeros


def one_kernel(function: Callable, fixed: Sequence[str] = (), backend: str = "inductor"):
    """`function` compiled as one piece: for any number of tokens (its tensors' first dimension, but
    of those that are `fixed`), and for each width anew, which makes the faster kernels."""
    compiled = torch.compile(function, dynamic=False, fullgraph=True, backend=backend)
    names = tuple(signature(function).parameters)

    def call(*arguments):
        for name, argument in zip(names, arguments, strict=True):
            if isinstance(argument, torch.Tensor) and name not in fixed:
                torch._dynamo.maybe_mark_dynamic(argument, 0)
        return compiled(*arguments)

    return call


def fused(*fixed: str) -> Callable[[Callable], Callable]:
    """Decorates a function that is `one_kernel` where its first argument is on a GPU."""

    def decorate(function: Callable) -> Callable:
        on_gpu = one_kernel(function, fixed)

        @wraps(function)
        def call(first: torch.Tensor, *rest):
            return (on_gpu if first.is_cuda else function)(first, *rest)

        call.fixed = fixed
        return call

    return decorate


def _normed(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    wide = x.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return weight * wide.to(x.dtype)


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    left, right = wide.chunk(2, dim=-1)
    turned = torch.cat([-right, left], dim=-1)
    return (wide * cos.float()[:, None] + turned * sin.float()[:, None]).to(x.dtype)


def _quantised(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    wide = x.float()
    scale = (wide.abs().amax(-1) / E4M3_MAX).clamp(min=_SMALLEST_SCALE)
    scaled = (wide / scale[..., None]).clamp(-E4M3_MAX, E4M3_MAX)
    return scaled.to(torch.float8_e4m3fn), scale


@fused("weight")
def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """Root-mean-square norm of [..., D], in float32 inside."""
    return _normed(x, weight, eps)


@fused()
def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions: [S, H, D] by cos and sin [S, D]."""
    return _rotated(x, cos, sin)


@fused("weight")
def norm_and_rotate(
    x: torch.Tensor, weight: torch.Tensor, eps: float, cos: torch.Tensor, sin: torch.Tensor
) -> torch.Tensor:
    """Heads [S, H, D], each normed, then turned to its position."""
    return _rotated(_normed(x, weight, eps), cos, sin)


@fused()
def gate(gate_up: torch.Tensor) -> torch.Tensor:
    """SwiGLU: [N, 2·I], gate first → [N, I]."""
    gates, ups = gate_up.chunk(2, dim=-1)
    return F.silu(gates) * ups


@fused()
def combine(rows: torch.Tensor, place: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What each token's experts said, weighted: rows [S·k, D] at place [S, k] → [S, D]."""
    return (rows[place].float() * weights.float()[..., None]).sum(1).to(rows.dtype)


@fused("table")
def interpolate(table: torch.Tensor, indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Learned positions [P, D] between grid points: indices, weights [N, 4] → [N, D]."""
    return (table[indices] * weights[..., None]).sum(1).to(table.dtype)


@fused()
def quantise(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[..., K] → the same as float8_e4m3fn, and the scale [...] float32 that each row had."""
    return _quantised(x)


@fused()
def gate_and_quantise(gate_up: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`quantise(gate(gate_up))`, without the values between ever leaving the chip."""
    gates, ups = gate_up.float().chunk(2, dim=-1)
    return _quantised(F.silu(gates) * ups)
