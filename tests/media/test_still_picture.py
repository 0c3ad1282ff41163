"""Whether a picture changes is seen in clips of any size."""

from __future__ import annotations

import numpy as np
import pytest

from ah_ray.media.still_picture import Stillness

RAMP = np.linspace(30, 220, 64 * 96, dtype=np.uint8).reshape(64, 96, 1).repeat(3, axis=2)
SIZES = [(64, 96), (96, 64), (32, 64)]


def is_still(*clips: np.ndarray) -> bool | None:
    stillness = Stillness()
    for clip in clips:
        stillness.see(clip)
    return stillness.is_still


def clip_of(grey: int, size_px: tuple[int, int]) -> np.ndarray:
    return np.full((4, *size_px, 3), grey, np.uint8)


def test_nothing_seen_is_not_known():
    assert is_still() is None


@pytest.mark.parametrize("size_px", SIZES)
def test_clips_of_other_sizes_are_compared_by_their_colour(size_px):
    assert is_still(clip_of(90, (64, 96)), clip_of(91, size_px)) is True
    assert is_still(clip_of(90, (64, 96)), clip_of(120, size_px)) is False
    assert is_still(clip_of(2, (64, 96)), clip_of(16, size_px)) is True  # both are black


def test_a_movement_within_one_clip_is_seen_after_any_other_clip():
    moving = np.stack([RAMP, RAMP[:, ::-1], RAMP, RAMP])
    assert is_still(np.stack([RAMP] * 4)) is True
    assert is_still(clip_of(125, (64, 96)), moving) is False
