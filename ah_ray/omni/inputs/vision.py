"""Convert frames to the patch rows that the vision tower reads, on the frames' device.

Reference: Qwen2VLVideoProcessor of transformers (patch 16, merge 2, mean = std = 0.5), without its
use of torchvision.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

PATCH_PX = 16
MERGE = 2  # patches a side that make one token
TEMPORAL = 2  # frames in a patch
UNIT_PX = PATCH_PX * MERGE
"""The sides of a frame are multiples of this."""

ROW = 3 * TEMPORAL * PATCH_PX * PATCH_PX
"""Values in a patch row: channel, frame, line, column."""


def compute_patch_grid(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (t, h, w) in patches for frames [T, H, W, 3]; they are t · h · w / MERGE² tokens."""
    n_frames, height_px, width_px, _ = shape
    return -(-n_frames // TEMPORAL), height_px // PATCH_PX, width_px // PATCH_PX


def make_patches(frames: torch.Tensor) -> torch.Tensor:
    """Convert frames [T, H, W, 3] uint8 to patch rows [t · h · w, 1536] float32, in merge order.

    If the number of frames is odd, the last one is repeated.
    """
    if len(frames) % TEMPORAL:
        frames = torch.cat([frames, frames[-1:]])
    t, h, w = compute_patch_grid(frames.shape)
    blocks = frames.view(t, TEMPORAL, h // MERGE, MERGE, PATCH_PX, w // MERGE, MERGE, PATCH_PX, 3)
    # → t, block row, block column, row and column in the block, channel, frame, line, column.
    rows = blocks.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(t * h * w, ROW)
    return (rows.to(torch.float32) - 127.5) / 127.5


def resize(frames: torch.Tensor, height_px: int, width_px: int) -> torch.Tensor:
    """Resize frames [T, H, W, 3] uint8 as the reference does.

    Bicubic with antialiasing, in float32, clamped, rounded. (torch's native uint8 interpolation
    differs by 1 in up to a fifth of the values.) Scoring uses frames that the decoder has scaled;
    this function is the reference for them.
    """
    channels_first = frames.permute(0, 3, 1, 2).to(torch.float32)
    resized = F.interpolate(
        channels_first, size=(height_px, width_px), mode="bicubic", antialias=True
    )
    return resized.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)
