"""Whether the picture of a video ever changes: black, frozen, or alive."""

from __future__ import annotations

import numpy as np

_BLOCK_PX = 32
_SAME = 2.5  # of 255, in the mean of a block: what recompression does to a still picture
_BLACK = 20.0  # video black is 16 of 255 where a recorder left its range out


class Stillness:
    """Compares the picked frames with the first one, until one differs."""

    def __init__(self) -> None:
        self.is_still: bool | None = None  # unknown until a frame was seen
        self._first: np.ndarray | None = None

    def see(self, frames: np.ndarray) -> None:
        """Take the frames of the next clip: `[T, H, W, 3] uint8`, H and W multiples of 32."""
        for frame in frames:
            if self.is_still is False:
                return
            blocks = _blocks(frame)
            if self._first is None:
                self._first = blocks
            is_black = max(blocks.max(), self._first.max()) <= _BLACK
            self.is_still = bool(is_black or _are_alike(blocks, self._first))


def _are_alike(blocks: np.ndarray, others: np.ndarray) -> bool:
    """Return whether two pictures are the same, as far as their sizes let them be compared."""
    if blocks.shape != others.shape:  # clips have the sizes of what they show
        blocks, others = blocks.mean(axis=(0, 1)), others.mean(axis=(0, 1))
    return bool(np.abs(blocks - others).max() <= _SAME)


def _blocks(frame: np.ndarray) -> np.ndarray:
    height, width, _ = frame.shape
    tiles = frame.reshape(height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, _BLOCK_PX, 3)
    return np.asarray(tiles.mean(axis=(1, 3)))
