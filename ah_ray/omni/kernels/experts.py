"""The two products of a layer's experts, with everything between them fused in.

    tokens ─gather─▶ rows · gate_up ─SwiGLU─▶ inner · down ─weight, scatter─▶ choices ─sum─▶ tokens
            └───────────── one kernel ──────┘└──────────── one kernel ─────────────┘└ one ┘

Rows are a token's choices, sorted by expert, and they exist as numbers only: the first product
reads tokens through `choice`, and the second writes each row to the place of its choice. So a layer
of 16,384 tokens, eight experts each, neither writes nor reads the 0.5 GB of gathered tokens and the
0.8 GB of gates and ups that separate kernels pass on, some 0.6 ms of 4.3 TB/s.

The weighted rows of a token are then summed in the order of its choices. Adding them to the token
at once, by atomic operations, would give another last bit in every run, and scores do not have one.

**Roofline.** N rows of D values, inner width I: 6·N·D·I operations. At D = 2,048, I = 768 and
N = 131,072 (16,384 tokens) that is 1.24 TFLOP, 1.6 ms at 790 TFLOP/s in bf16, and 0.8 ms in fp8.
Weights are 1.2 GB (0.6 GB in fp8), 0.28 ms at 4.3 TB/s: below about 3,000 tokens reading them is
what takes the time. A tile's weights are shared by the tiles beside it, which run at the same time.

Through Triton's interpreter bfloat16 is wrong, and says nothing. There, `WIDE` computes and stores
in float32; on a GPU it is off, and nothing of it is left in the code.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from ah_ray.omni.kernels.blocks import Blocks
from ah_ray.omni.kernels.launch import launch

_MAPPED_AT_ONCE = 128
_SUMMED_COLUMNS = 1_024

Tiles = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Each tile's expert, its first row and where its expert's rows end, [T] int32."""


@triton.jit
def map_kernel(
    ends,
    expert_of,
    first_of,
    stop_of,
    n_experts,
    n_tiles,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    EXPERTS: tl.constexpr,
):
    """Write the expert and the rows of some tiles of ROWS rows; a surplus one holds none."""
    tile = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    every = tl.arange(0, EXPERTS)
    inside = every < n_experts
    end = tl.load(ends + every, mask=inside, other=0)
    begin = tl.load(ends + every - 1, mask=inside & (every > 0), other=0)
    count = tl.where(inside, (end - begin + ROWS - 1) // ROWS, 0)
    up_to = tl.cumsum(count, 0)
    passed = (up_to[None, :] <= tile[:, None]) & inside[None, :]
    expert = tl.sum(passed.to(tl.int32), 1)
    its = every[None, :] == expert[:, None]
    origin = begin - (up_to - count) * ROWS
    first = tl.sum(tl.where(its, origin[None, :], 0), 1) + tile * ROWS
    stop = tl.sum(tl.where(its, end[None, :], 0), 1)
    is_tile = tile < n_tiles
    tl.store(expert_of + tile, expert, mask=is_tile)
    tl.store(first_of + tile, first, mask=is_tile)
    tl.store(stop_of + tile, stop, mask=is_tile)


@triton.jit
def gate_up_kernel(
    x,
    x_scale,
    weights,
    weight_scale,
    choice,
    expert_of,
    first_of,
    stop_of,
    out,
    width,
    inner,
    PER_TOKEN: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    EVEN: tl.constexpr,
    SCALED: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Multiply a tile's tokens by an expert's gates and ups, and gate: [ROWS, COLUMNS] of `out`."""
    n_columns = tl.cdiv(inner, COLUMNS)
    tile = tl.program_id(0) // n_columns
    first, stop = tl.load(first_of + tile), tl.load(stop_of + tile)
    if first >= stop:
        return
    expert = tl.load(expert_of + tile).to(tl.int64)
    row = first + tl.arange(0, ROWS)
    is_row = row < stop
    token = tl.load(choice + row, mask=is_row, other=0).to(tl.int64) // PER_TOKEN
    column = (tl.program_id(0) % n_columns) * COLUMNS + tl.arange(0, COLUMNS)
    is_column = column < inner
    depth = tl.arange(0, DEPTH)
    left = x + token[:, None] * width + depth[None, :]
    gate = weights + (expert * 2 * inner + column[None, :]) * width + depth[:, None]
    up = gate + inner.to(tl.int64) * width
    gates = tl.zeros([ROWS, COLUMNS], dtype=tl.float32)
    ups = tl.zeros([ROWS, COLUMNS], dtype=tl.float32)
    for start in range(0, width, DEPTH):
        if EVEN:
            left_mask, right_mask = is_row[:, None], is_column[None, :]
        else:
            left_mask = is_row[:, None] & (depth < width - start)[None, :]
            right_mask = is_column[None, :] & (depth < width - start)[:, None]
        values = tl.load(left + start, mask=left_mask, other=0.0)
        gate_weights = tl.load(gate + start, mask=right_mask, other=0.0)
        up_weights = tl.load(up + start, mask=right_mask, other=0.0)
        if WIDE:
            values = values.to(tl.float32)
            gate_weights = gate_weights.to(tl.float32)
            up_weights = up_weights.to(tl.float32)
        gates = tl.dot(values, gate_weights, gates, input_precision="ieee")
        ups = tl.dot(values, up_weights, ups, input_precision="ieee")
    if SCALED:
        row_scale = tl.load(x_scale + token, mask=is_row, other=0.0)[:, None]
        place = weight_scale + expert * 2 * inner + column
        gates *= row_scale * tl.load(place, mask=is_column, other=0.0)[None, :]
        ups *= row_scale * tl.load(place + inner, mask=is_column, other=0.0)[None, :]
    gated = gates * tl.sigmoid(gates) * ups
    to = out + row.to(tl.int64)[:, None] * inner + column[None, :]
    tl.store(to, gated.to(out.dtype.element_ty), mask=is_row[:, None] & is_column[None, :])


@triton.jit
def down_kernel(
    rows,
    row_scale,
    weights,
    weight_scale,
    choice,
    shares,
    expert_of,
    first_of,
    stop_of,
    out,
    inner,
    width,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    EVEN: tl.constexpr,
    SCALED: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Multiply a tile's rows by an expert's weights, weigh them, write each to its choice."""
    n_columns = tl.cdiv(width, COLUMNS)
    tile = tl.program_id(0) // n_columns
    first, stop = tl.load(first_of + tile), tl.load(stop_of + tile)
    if first >= stop:
        return
    expert = tl.load(expert_of + tile).to(tl.int64)
    row = first + tl.arange(0, ROWS)
    is_row = row < stop
    column = (tl.program_id(0) % n_columns) * COLUMNS + tl.arange(0, COLUMNS)
    is_column = column < width
    depth = tl.arange(0, DEPTH)
    left = rows + row.to(tl.int64)[:, None] * inner + depth[None, :]
    right = weights + (expert * width + column[None, :]) * inner + depth[:, None]
    total = tl.zeros([ROWS, COLUMNS], dtype=tl.float32)
    for start in range(0, inner, DEPTH):
        if EVEN:
            left_mask, right_mask = is_row[:, None], is_column[None, :]
        else:
            left_mask = is_row[:, None] & (depth < inner - start)[None, :]
            right_mask = is_column[None, :] & (depth < inner - start)[:, None]
        values = tl.load(left + start, mask=left_mask, other=0.0)
        its_weights = tl.load(right + start, mask=right_mask, other=0.0)
        if WIDE:
            values = values.to(tl.float32)
            its_weights = its_weights.to(tl.float32)
        total = tl.dot(values, its_weights, total, input_precision="ieee")
    place = tl.load(choice + row, mask=is_row, other=0).to(tl.int64)
    factor = tl.load(shares + place, mask=is_row, other=0.0).to(tl.float32)
    if SCALED:
        factor *= tl.load(row_scale + row, mask=is_row, other=0.0)
        scale = tl.load(weight_scale + expert * width + column, mask=is_column, other=0.0)
        total *= scale[None, :]
    total *= factor[:, None]
    to = out + place[:, None] * width + column[None, :]
    tl.store(to, total.to(out.dtype.element_ty), mask=is_row[:, None] & is_column[None, :])


@triton.jit
def sum_kernel(choices, out, width, K: tl.constexpr, BLOCK: tl.constexpr):
    """Sum the K rows of one token, BLOCK of their `width` values."""
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for one in tl.static_range(K):
        place = choices + (token * K + one) * width + column
        total += tl.load(place, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + token * width + column, total.to(out.dtype.element_ty), mask=inside)


def map_tiles(ends: torch.Tensor, n_rows: int, tile_rows: int) -> Tiles:
    """Return the tiles of `tile_rows` rows in which each expert's rows lie.

    `ends` [E] int32 is where each expert's rows end. Their number must not be known on the CPU, so
    there are as many tiles as there could be; those that hold nothing are the last ones.
    """
    n_experts = len(ends)
    n_tiles = min(n_rows, n_rows // tile_rows + n_experts)
    found = [torch.empty(n_tiles, dtype=torch.int32, device=ends.device) for _ in range(3)]
    launch(
        map_kernel, (triton.cdiv(n_tiles, _MAPPED_AT_ONCE),), ends, *found, n_experts, n_tiles,
        ROWS=tile_rows, BLOCK=_MAPPED_AT_ONCE, EXPERTS=triton.next_power_of_2(n_experts),
        num_warps=8,
    )  # fmt: skip
    return found[0], found[1], found[2]


def multiply_gate_up(
    x: torch.Tensor,
    weights: torch.Tensor,
    choice: torch.Tensor,
    ends: torch.Tensor,
    blocks: Blocks,
    scales: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return SwiGLU [N, I] of tokens [S, D] through experts [E, 2·I, D], rows sorted by expert.

    `choice` [N] has the token's choice of each row, `ends` [E] int32 where each expert's rows end.
    In fp8, `scales` are those of the tokens [S] and of the outputs [E, 2·I], and the result bf16.
    """
    (n_tokens, width), inner, n_rows = x.shape, weights.shape[1] // 2, len(choice)
    out = torch.empty((n_rows, inner), dtype=_result_type(x), device=x.device)
    tiles = map_tiles(ends, n_rows, blocks.rows)
    launch(
        gate_up_kernel, (len(tiles[0]) * triton.cdiv(inner, blocks.columns),),
        x.contiguous(), *_interleave(x, weights.contiguous(), scales), choice, *tiles, out,
        width, inner,
        PER_TOKEN=n_rows // max(1, n_tokens), SCALED=scales is not None, WIDE=_is_wide(weights),
        EVEN=width % blocks.depth == 0, **blocks.options(),
    )  # fmt: skip
    return out


def multiply_down(
    rows: torch.Tensor,
    weights: torch.Tensor,
    choice: torch.Tensor,
    ends: torch.Tensor,
    shares: torch.Tensor,
    blocks: Blocks,
    scales: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return weighted rows [S, k, D] of inner rows [N, I] through experts [E, D, I], by choice.

    `shares` [S, k] are the experts' weights. In fp8, `scales` are those of the rows [N] and of the
    outputs [E, D], and the result bf16.
    """
    (n_rows, inner), width = rows.shape, weights.shape[1]
    out = torch.empty((*shares.shape, width), dtype=_result_type(rows), device=rows.device)
    tiles = map_tiles(ends, n_rows, blocks.rows)
    launch(
        down_kernel, (len(tiles[0]) * triton.cdiv(width, blocks.columns),),
        rows.contiguous(), *_interleave(rows, weights.contiguous(), scales), choice,
        shares.contiguous(), *tiles, out, inner, width,
        SCALED=scales is not None, WIDE=_is_wide(weights),
        EVEN=inner % blocks.depth == 0, **blocks.options(),
    )  # fmt: skip
    return out


def sum_choices(rows: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the sums [S, D] of each token's rows [S, k, D], in this type."""
    n_tokens, k, width = rows.shape
    out = torch.empty((n_tokens, width), dtype=dtype, device=rows.device)
    if _is_wide(out):
        return sum_choices(rows, torch.float32).to(dtype)
    block = min(_SUMMED_COLUMNS, triton.next_power_of_2(width))
    launch(
        sum_kernel, (n_tokens, triton.cdiv(width, block)), rows, out, width, K=k, BLOCK=block,
        num_warps=4,
    )  # fmt: skip
    return out


def _interleave(
    values: torch.Tensor,
    weights: torch.Tensor,
    scales: tuple[torch.Tensor, torch.Tensor] | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the scale of the values, the weights and their scale; without scales, any tensor."""
    if scales is None:
        return values, weights, weights
    return scales[0].contiguous(), weights, scales[1].contiguous()


def _is_wide(values: torch.Tensor) -> bool:
    """Return whether Triton's interpreter could not compute in this type."""
    return values.device.type == "cpu" and values.dtype != torch.float32


def _result_type(values: torch.Tensor) -> torch.dtype:
    if values.device.type == "cpu" or values.dtype == torch.float32:
        return torch.float32
    return torch.bfloat16
