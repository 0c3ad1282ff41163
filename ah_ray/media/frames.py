"""Frame picks: how many frames of a window the model sees, and which.

Source: `smart_nframes` and the `linspace` of the reference (qwen_omni_utils 0.0.9), which see a
cut clip. Here the clip is a window of decoded timestamps, so the rate may also vary.
"""

from __future__ import annotations

import numpy as np

from ah_ray.config import Limits

MAX_FPS = 120
"""On average, over the longest duration allowed."""

_ROUNDING_S = 1e-6
_COUNT_TOLERANCE = 0.01  # frames: a clip of 4.999 s at 2 fps is one of 5 s


def frame_count(seconds: float, fps: float, min_frames: int) -> int:
    """Return how many frames a window of that length should have: even, at least `min_frames`."""
    return max(min_frames, 2 * int((seconds * fps + _COUNT_TOLERANCE) / 2))


def most_frames(limits: Limits) -> int:
    """Return how many frames a video may have: more than any recording that is not too long.

    Their times are kept, and ten bytes of a hostile file can stand for a frame.
    """
    return int(limits.max_duration_s * MAX_FPS)


def linspace_picks(n_available: int, n_wanted: int) -> np.ndarray:
    """Return which of `n_available` frames are picked: `[T] int`, T even.

    The reference's `linspace(0, N−1, n).round()`. If there are fewer than wanted: all of them,
    and the last one again where that makes an odd count even.
    """
    if n_available <= n_wanted:
        picks = np.arange(n_available)
        return np.append(picks, picks[-1:]) if n_available % 2 else picks
    return np.linspace(0, n_available - 1, n_wanted).round().astype(int)


def pick_times(times_s: np.ndarray, start_s: float, end_s: float, n_wanted: int) -> np.ndarray:
    """Return which frames a window shows: `[T] int`, T even; T = 0 if there is none at all.

    At a constant rate these are the reference's picks. Otherwise they are the frames at the times
    at which the reference would look, evenly from the window's start to one frame before its end:
    the nearest one, if it is within a frame, else the one that is still shown then. So no pick
    lies farther from its wanted time than the picture that stands there explains.

    Args:
        times_s: When each frame of the video is shown, in seconds, rising: `[N]`.
        start_s: Where the window starts, in seconds.
        end_s: Where it ends; the end is not in it.
        n_wanted: How many frames the reference would take.
    """
    if not len(times_s):
        return np.empty(0, int)
    first, last = np.searchsorted(times_s, [start_s - _ROUNDING_S, end_s - _ROUNDING_S])
    inside = times_s[first:last]
    if _fills(inside, start_s, end_s):
        return np.asarray(first + linspace_picks(len(inside), n_wanted))
    gaps_s = np.diff(inside)
    one_frame_s = float(np.median(gaps_s)) if len(gaps_s) else (end_s - start_s) / n_wanted
    one_frame_s = min(one_frame_s, (end_s - start_s) / n_wanted)
    wanted_s = np.linspace(start_s, end_s - one_frame_s, n_wanted)
    closest = find_nearest(times_s, wanted_s)
    standing = np.searchsorted(times_s, wanted_s + _ROUNDING_S, side="right") - 1
    is_close = np.abs(times_s[closest] - wanted_s) <= one_frame_s
    return np.where(is_close | (standing < 0), closest, standing)


def _fills(inside_s: np.ndarray, start_s: float, end_s: float) -> bool:
    """Return whether frames come at a constant rate from the window's start to its end."""
    if not len(inside_s) or not is_constant(inside_s):
        return False
    one_frame_s = (end_s - start_s) / len(inside_s)
    starts = inside_s[0] - start_s <= 1.5 * one_frame_s + 0.0011
    return bool(starts and end_s - inside_s[-1] <= 2 * one_frame_s + 0.0011)


def find_nearest(times_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """Return the index in `times_s` (rising, not empty) of the time nearest to each wanted one."""
    right = np.searchsorted(times_s, wanted_s).clip(1, max(1, len(times_s) - 1))
    right = np.minimum(right, len(times_s) - 1)
    left = np.maximum(right - 1, 0)
    closer_left = wanted_s - times_s[left] <= times_s[right] - wanted_s
    return np.asarray(np.where(closer_left, left, right))


def is_constant(times_s: np.ndarray) -> bool:
    """Return whether the gaps are equal, except for a container's rounding to milliseconds."""
    if len(times_s) < 3:
        return True
    gaps_s = np.diff(times_s)
    mean_s = (times_s[-1] - times_s[0]) / len(gaps_s)
    return bool(np.abs(gaps_s - mean_s).max() <= 0.0011 + 0.01 * mean_s)
