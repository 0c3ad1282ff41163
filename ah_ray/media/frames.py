"""Frame picks: how many frames of a window the model sees, and which.

Source: `smart_nframes` and the `linspace` of the reference (qwen_omni_utils 0.0.9), which see a
cut clip. Here the clip is a window of decoded timestamps, so the rate may also vary.
"""

from __future__ import annotations

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError

MAX_FPS = 120
"""On average, over the longest duration allowed."""

_COUNT_TOLERANCE = 0.01  # frames: a clip of 4.999 s at 2 fps is one of 5 s


def frame_count(seconds: float, fps: float, min_frames: int) -> int:
    """How many frames a window of that length should have: even, at least `min_frames`."""
    return max(min_frames, 2 * int((seconds * fps + _COUNT_TOLERANCE) / 2))


def check_count(n_frames: int, limits: Limits) -> None:
    """Raises VideoError (`refused`) for more frames than any recording has that is not too long.

    Their times are kept, and ten bytes of a hostile file can stand for a frame.
    """
    most = int(limits.max_duration_s * MAX_FPS)
    if n_frames > most:
        raise VideoError(
            ErrorKind.REFUSED,
            f"it has more than {most} frames: {MAX_FPS} a second for --max-duration-s "
            f"{limits.max_duration_s:g}",
        )


def linspace_picks(n_available: int, n_wanted: int) -> np.ndarray:
    """Which of `n_available` frames are picked: `[T] int`, T even.

    The reference's `linspace(0, N−1, n).round()`. If there are fewer than wanted: all of them,
    and the last one again where that makes an odd count even.
    """
    if n_available <= n_wanted:
        picks = np.arange(n_available)
        return np.append(picks, picks[-1:]) if n_available % 2 else picks
    return np.linspace(0, n_available - 1, n_wanted).round().astype(int)


def picks(times_s: np.ndarray, start_s: float, end_s: float, n_wanted: int) -> np.ndarray:
    """Which of a window's frames are picked, by their times: `[T] int`, T even, T = 0 for none.

    `times_s` are the decoded times `[N]` in the window, rising. At a constant rate these are the
    reference's picks; otherwise the frames nearest to the times at which the reference would
    look: evenly from the window's start to one frame before its end.
    """
    if len(times_s) <= n_wanted or is_constant(times_s):
        return linspace_picks(len(times_s), n_wanted)
    one_frame_s = float(np.median(np.diff(times_s)))
    ideal_s = np.linspace(start_s, end_s - one_frame_s, n_wanted)
    return nearest(times_s, ideal_s)


def nearest(times_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """The index in `times_s` (rising, not empty) of the time nearest to each wanted one."""
    right = np.searchsorted(times_s, wanted_s).clip(1, max(1, len(times_s) - 1))
    right = np.minimum(right, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    closer_left = wanted_s - times_s[left] <= times_s[right] - wanted_s
    return np.where(closer_left, left, right)


def is_constant(times_s: np.ndarray) -> bool:
    """True if the gaps are equal but for a container's rounding to milliseconds."""
    if len(times_s) < 3:
        return True
    gaps_s = np.diff(times_s)
    mean_s = (times_s[-1] - times_s[0]) / len(gaps_s)
    return bool(np.abs(gaps_s - mean_s).max() <= 0.0011 + 0.01 * mean_s)
