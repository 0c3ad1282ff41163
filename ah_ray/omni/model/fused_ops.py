"""Arithmetic of the model between its matrix products: the plain twins, and which runs where.

On a GPU each function here has a Triton kernel of the same name, in `ah_ray/omni/kernels`.
On a CPU, and where Triton cannot be used, it runs as it is written here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import torch
from torch.nn import functional as F

E4M3_MAX = 448.0
"""The largest number of float8_e4m3fn."""

_SMALLEST_SCALE = 1e-12  # rows of zeros stay zeros


Function = TypeVar("Function", bound=Callable[..., Any])


KERNEL_MODULES = (
    "ah_ray.omni.kernels.rows",
    "ah_ray.omni.kernels.sorting",
    "ah_ray.omni.kernels.experts",
)

_log = logging.getLogger(__name__)


@cache
def load_kernels() -> SimpleNamespace | None:
    """Return all Triton kernels by name, or None where Triton is not installed or broken."""
    try:
        modules = [import_module(name) for name in KERNEL_MODULES]
        return SimpleNamespace(**{k: v for module in modules for k, v in vars(module).items()})
    except (ImportError, OSError, RuntimeError) as error:
        _log.warning("plain torch instead of Triton's kernels, which is slower: %s", error)
        return None


def with_kernel(function: Function) -> Function:
    """Decorate a plain function so that its kernel runs if its first argument is on a GPU."""
    name = function.__name__

    @wraps(function)
    def call(first: torch.Tensor, *rest: Any) -> Any:
        if first.is_cuda and (kernels := load_kernels()) is not None:
            return getattr(kernels, name)(first, *rest)
        return function(first, *rest)

    return cast(Function, call)


def _normalise(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    wide = x.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return weight * wide.to(x.dtype)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    left, right = wide.chunk(2, dim=-1)
    turned = torch.cat([-right, left], dim=-1)
    return (wide * cos.float()[:, None] + turned * sin.float()[:, None]).to(x.dtype)


def _quantise(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    wide = x.float()
    scale = (wide.abs().amax(-1) / E4M3_MAX).clamp(min=_SMALLEST_SCALE)
    scaled = (wide / scale[..., None]).clamp(-E4M3_MAX, E4M3_MAX)
    return scaled.to(torch.float8_e4m3fn), scale


@with_kernel
def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """Return the root-mean-square norm of [..., D], computed in float32."""
    return _normalise(x, weight, eps)


@with_kernel
def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Apply rotary positions to [S, H, D], with cos and sin [S, D]."""
    return _rotate(x, cos, sin)


@with_kernel
def norm_and_rotate(
    x: torch.Tensor, weight: torch.Tensor, eps: float, cos: torch.Tensor, sin: torch.Tensor
) -> torch.Tensor:
    """Apply `rms_norm` to heads [S, H, D], then `rotate`."""
    return _rotate(_normalise(x, weight, eps), cos, sin)


@with_kernel
def gate(gate_up: torch.Tensor) -> torch.Tensor:
    """Return SwiGLU [N, I] of [N, 2·I], whose first half is the gate."""
    gates, ups = gate_up.chunk(2, dim=-1)
    return F.silu(gates) * ups


@with_kernel
def combine(rows: torch.Tensor, place: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return each token's weighted sum of expert outputs: rows [S·k, D], place [S, k] → [S, D]."""
    return (rows[place].float() * weights.float()[..., None]).sum(1).to(rows.dtype)


@with_kernel
def interpolate(table: torch.Tensor, indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return learned positions [P, D] between grid points: indices and weights [N, 4] → [N, D]."""
    return (table[indices] * weights[..., None]).sum(1).to(table.dtype)


def quantise_weights(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `quantise(weights)` by plain torch: once for each shape, while a model loads."""
    return _quantise(weights)


@with_kernel
def quantise(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return [..., K] as float8_e4m3fn, and the scale [...] float32 of each row."""
    return _quantise(x)


@with_kernel
def gate_and_quantise(gate_up: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `quantise(gate(gate_up))` without writing the values between to memory."""
    gates, ups = gate_up.float().chunk(2, dim=-1)
    return _quantise(F.silu(gates) * ups)


@with_kernel
def sort_by_expert(
    chosen: torch.Tensor, n_experts: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return where the tokens' choices [S, k] go if they are sorted by expert.

    That is the choice [S·k] of each row (number n is one of token n // k), the row [S, k] of each
    choice, and where each expert's rows end [E] int32.
    """
    expert, order = chosen.flatten().sort(stable=True)
    numbers = torch.arange(n_experts, device=chosen.device)
    ends = torch.searchsorted(expert, numbers, right=True, out_int32=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=chosen.device)
    return order, place.view_as(chosen), ends
