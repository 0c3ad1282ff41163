"""Compute mRoPE positions: three position ids (time, height, width) for every token.

Reference: `Qwen3OmniMoeThinkerForConditionalGeneration.get_rope_index`, which walks over the ids in
Python. This computes the same in numpy, from the known structure of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def compute_mrope_positions(
    pieces: Iterable[int | tuple[int, int, int]],
    second_per_grid: float,
    ids_per_second: float,
    *,
    floor: bool = False,
) -> np.ndarray:
    """Return positions [3, S] float32.

    A piece is a number of consecutive tokens (text, sound), or the (t, h, w) of a video in tokens,
    whose grids are `second_per_grid · ids_per_second` apart in time. Each piece begins one after
    the largest position so far. With `floor` every position is rounded down at the end, as ms-swift
    does in training (`_get_position_ids`).
    """
    blocks: list[np.ndarray] = []
    start = np.float32(0)
    for piece in pieces:
        if isinstance(piece, int):
            block = np.broadcast_to(np.arange(piece, dtype=np.float32), (3, piece))
        else:
            t, h, w = np.indices(piece, dtype=np.float32).reshape(3, -1)
            time = t * np.float32(second_per_grid) * np.float32(ids_per_second)  # in this order
            block = np.stack([time, h, w])
        if block.size:
            blocks.append(block + start)
            start = blocks[-1].max() + np.float32(1)
    positions = np.concatenate(blocks, axis=1)
    return np.floor(positions) if floor else positions
