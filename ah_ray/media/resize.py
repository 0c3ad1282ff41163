"""The size in which a frame is shown to the model.

Source: `smart_resize` of the reference (qwen_omni_utils 0.0.9), factor 32.
"""

from __future__ import annotations

import math

from ah_ray.errors import ErrorKind, VideoError

FACTOR = 32
"""Pixels: a patch of 16, merged two by two."""

_MAX_RATIO = 200


def target_size(width_px: int, height_px: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """(width, height) in multiples of 32, within the limits, nearly in the source's ratio.

    Raises VideoError (`refused`) for a picture more than 200 times as long as it is wide.
    """
    if max(width_px, height_px) > _MAX_RATIO * min(width_px, height_px):
        raise VideoError(
            ErrorKind.REFUSED,
            f"the picture of {width_px}×{height_px} px is a strip: more than {_MAX_RATIO} times "
            "as long as it is wide",
        )
    width = max(FACTOR, round(width_px / FACTOR) * FACTOR)
    height = max(FACTOR, round(height_px / FACTOR) * FACTOR)
    if width * height > max_pixels:
        shrink = math.sqrt(width_px * height_px / max_pixels)
        width = max(FACTOR, math.floor(width_px / shrink / FACTOR) * FACTOR)
        height = max(FACTOR, math.floor(height_px / shrink / FACTOR) * FACTOR)
    elif width * height < min_pixels:
        grow = math.sqrt(min_pixels / (width_px * height_px))
        width = math.ceil(width_px * grow / FACTOR) * FACTOR
        height = math.ceil(height_px * grow / FACTOR) * FACTOR
    return width, height
