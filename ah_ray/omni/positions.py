"""mRoPE: the three position ids (time, height, width) of every token.

Reference: `Qwen3OmniMoeThinkerForConditionalGeneration.get_rope_index`, which walks the ids in
Python; this is the same from the prompt's known structure, in numpy.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def mrope_positions(
    pieces: Iterable[int | tuple[int, int, int]], second_per_grid: float, ids_per_second: float
) -> np.ndarray:
    """Positions [3, S] float32.

    A piece is a number of tokens that follow one another (text, sound), or the (t, h, w) of a
    picture in tokens, whose grids lie `second_per_grid · ids_per_second` apart in time. Each piece
    begins one past the largest position so far.
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
    return np.concatenate(blocks, axis=1)
