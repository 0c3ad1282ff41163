"""Arithmetic over rows between the model's matrix products, one kernel for each function.

Between its products a layer would read and write every activation a dozen times if each step was a
kernel of its own. Each of these reads its input once, keeps a row in registers, and writes once, so
the time is that of the bytes: at 4.3 TB/s (H200) 65,536 rows of 2,048 bf16 values take 0.12 ms. The
plain twins, with the same names and the same rounding, are in `ah_ray/omni/model/fused_ops.py`.

Types follow from the tensors: everything is computed in float32 and rounded where the twin rounds.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from ah_ray.omni.kernels.launch import launch

_E4M3_MAX = tl.constexpr(448.0)
_SMALLEST_SCALE = tl.constexpr(1e-12)


@triton.jit
def norm_kernel(x, weight, out, width, eps, BLOCK: tl.constexpr):
    """Norm one row of `width` values."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    wide = tl.load(x + row * width + column, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(wide * wide, 0) / width + eps)
    normed = (wide * scale).to(x.dtype.element_ty).to(tl.float32)
    weights = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + column, (weights * normed).to(out.dtype.element_ty), mask=inside)


@triton.jit
def rotate_kernel(
    x,
    weight,
    cos,
    sin,
    out,
    token_stride,
    head_stride,
    n_heads,
    half,
    eps,
    NORM: tl.constexpr,
    HEADS: tl.constexpr,
    HALF: tl.constexpr,
):
    """Rotate all heads of one token, each of 2 · `half` values; with NORM, norm them first."""
    token = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, HEADS)[:, None]
    column = tl.arange(0, HALF)[None, :]
    in_row = column < half
    inside = (head < n_heads) & in_row
    place = x + token * token_stride + head * head_stride + column
    left = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    right = tl.load(place + half, mask=inside, other=0.0).to(tl.float32)
    if NORM:
        squares = tl.sum(left * left, 1) + tl.sum(right * right, 1)
        scale = tl.rsqrt(squares / (2 * half) + eps)[:, None]
        left_weight = tl.load(weight + column, mask=in_row, other=0.0).to(tl.float32)
        right_weight = tl.load(weight + half + column, mask=in_row, other=0.0).to(tl.float32)
        narrow = x.dtype.element_ty
        left = (left * scale).to(narrow).to(tl.float32)
        right = (right * scale).to(narrow).to(tl.float32)
        left = (left * left_weight).to(narrow).to(tl.float32)
        right = (right * right_weight).to(narrow).to(tl.float32)
    angle = token * 2 * half + column
    left_cos = tl.load(cos + angle, mask=in_row, other=0.0).to(tl.float32)
    left_sin = tl.load(sin + angle, mask=in_row, other=0.0).to(tl.float32)
    right_cos = tl.load(cos + angle + half, mask=in_row, other=0.0).to(tl.float32)
    right_sin = tl.load(sin + angle + half, mask=in_row, other=0.0).to(tl.float32)
    to = out + (token * n_heads + head) * 2 * half + column
    turned_left = (left * left_cos - right * left_sin).to(out.dtype.element_ty)
    turned_right = (right * right_cos + left * right_sin).to(out.dtype.element_ty)
    tl.store(to, turned_left, mask=inside)
    tl.store(to + half, turned_right, mask=inside)


@triton.jit
def gate_kernel(gate_up, out, width, BLOCK: tl.constexpr):
    """Gate one row: the first `width` values of `gate_up` are the gates of the others."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    place = gate_up + row * 2 * width + column
    gates = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    ups = tl.load(place + width, mask=inside, other=0.0).to(tl.float32)
    opened = (gates * tl.sigmoid(gates)).to(gate_up.dtype.element_ty).to(tl.float32)
    tl.store(out + row * width + column, (opened * ups).to(out.dtype.element_ty), mask=inside)


@triton.jit
def quantise_kernel(x, out, scales, width, GATE: tl.constexpr, BLOCK: tl.constexpr):
    """Quantise one row of `width` values; with GATE, those that `gate_kernel` would compute."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    if GATE:
        place = x + row * 2 * width + column
        gates = tl.load(place, mask=inside, other=0.0).to(tl.float32)
        wide = gates * tl.sigmoid(gates)
        wide = wide * tl.load(place + width, mask=inside, other=0.0).to(tl.float32)
    else:
        wide = tl.load(x + row * width + column, mask=inside, other=0.0).to(tl.float32)
    # A maximum drops NaN, and a row that holds one must not become a row of numbers.
    size = tl.where(wide == wide, tl.abs(wide), float("inf"))
    largest = tl.max(size, 0)
    scale = tl.maximum(largest / _E4M3_MAX, _SMALLEST_SCALE)
    scale = tl.where(largest == float("inf"), float("nan"), scale)
    scaled = tl.minimum(tl.maximum(wide / scale, -_E4M3_MAX), _E4M3_MAX)
    tl.store(out + row * width + column, scaled.to(out.dtype.element_ty), mask=inside)
    tl.store(scales + row, scale)


@triton.jit
def weigh_kernel(table, places, weights, out, width, K: tl.constexpr, BLOCK: tl.constexpr):
    """Sum K rows of a table by their weights, into one row of `width` values."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for one in tl.static_range(K):
        place = tl.load(places + row * K + one).to(tl.int64)
        weight = tl.load(weights + row * K + one).to(tl.float32)
        values = tl.load(table + place * width + column, mask=inside, other=0.0).to(tl.float32)
        total += weight * values
    tl.store(out + row * width + column, total.to(out.dtype.element_ty), mask=inside)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """Return the root-mean-square norm of [..., D]."""
    x = x.contiguous()
    out = torch.empty_like(x)
    width = x.shape[-1]
    launch(norm_kernel, (x.numel() // width,), x, weight, out, width, eps, **_fit(width))
    return out


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Apply rotary positions to [S, H, D], with cos and sin [S, D]."""
    return _rotate_heads(x, x, 0.0, cos, sin, has_norm=False)


def norm_and_rotate(
    x: torch.Tensor, weight: torch.Tensor, eps: float, cos: torch.Tensor, sin: torch.Tensor
) -> torch.Tensor:
    """Apply `rms_norm` to heads [S, H, D], then `rotate`."""
    return _rotate_heads(x, weight, eps, cos, sin, has_norm=True)


def _rotate_heads(
    x: torch.Tensor,
    weight: torch.Tensor,
    eps: float,
    cos: torch.Tensor,
    sin: torch.Tensor,
    *,
    has_norm: bool,
) -> torch.Tensor:
    n_tokens, n_heads, width = x.shape
    if x.stride(2) != 1:
        x = x.contiguous()
    out = torch.empty((n_tokens, n_heads, width), dtype=x.dtype, device=x.device)
    blocks = {
        "HEADS": triton.next_power_of_2(n_heads),
        "HALF": triton.next_power_of_2(width // 2),
    }
    launch(
        rotate_kernel, (n_tokens,), x, weight, cos.contiguous(), sin.contiguous(), out,
        x.stride(0), x.stride(1), n_heads, width // 2, eps,
        NORM=has_norm, **blocks,
    )  # fmt: skip
    return out


def gate(gate_up: torch.Tensor) -> torch.Tensor:
    """Return SwiGLU [N, I] of [N, 2·I], whose first half is the gate."""
    n_rows, width = len(gate_up), gate_up.shape[1] // 2
    out = gate_up.new_empty(n_rows, width)
    launch(gate_kernel, (n_rows,), gate_up.contiguous(), out, width, **_fit(width))
    return out


def quantise(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return [..., K] as float8_e4m3fn, and the scale [...] float32 of each row."""
    return _quantise_rows(x, x.shape[-1], has_gate=False)


def gate_and_quantise(gate_up: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `quantise(gate(gate_up))` without writing the values between to memory."""
    return _quantise_rows(gate_up, gate_up.shape[-1] // 2, has_gate=True)


def _quantise_rows(
    x: torch.Tensor, width: int, *, has_gate: bool, dtype: torch.dtype = torch.float8_e4m3fn
) -> tuple[torch.Tensor, torch.Tensor]:
    """`dtype` is another one only where fp8 is tested without a GPU."""
    out = torch.empty((*x.shape[:-1], width), dtype=dtype, device=x.device)
    scales = torch.empty(x.shape[:-1], dtype=torch.float32, device=x.device)
    launch(
        quantise_kernel, (scales.numel(),), x.contiguous(), out, scales, width,
        GATE=has_gate, **_fit(width),
    )  # fmt: skip
    return out, scales


def combine(rows: torch.Tensor, place: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return each token's weighted sum of expert outputs: rows [S·k, D], place [S, k] → [S, D]."""
    return interpolate(rows, place, weights)


def interpolate(table: torch.Tensor, indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return weighted sums of a table's rows [P, D]: indices and weights [N, k] → [N, D]."""
    (n_rows, k), width = indices.shape, table.shape[1]
    out = table.new_empty(n_rows, width)
    launch(
        weigh_kernel, (n_rows,), table.contiguous(), indices.contiguous(), weights.contiguous(),
        out, width, K=k, **_fit(width),
    )  # fmt: skip
    return out


def _fit(width: int) -> dict[str, Any]:
    """Return the block that holds a row of `width` values, and the warps that share it."""
    block = triton.next_power_of_2(width)
    return {"BLOCK": block, "num_warps": min(8, max(1, block // 256))}
