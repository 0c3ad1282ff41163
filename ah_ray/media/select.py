"""The `select` filter that lets through only the frames that a window will pick.

Scaling a picture costs more than decoding it, so what is not picked is dropped before that.
The expected picks come from the probe's list of packets; the last word is `frames.picks`, on
decoded timestamps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ah_ray.media.frames import frame_count, picks
from ah_ray.media.windows import Window
from ah_ray.profile import Profile

_LEAF = 8
_EARLY_S = 0.005


def expected_picks(times_s: np.ndarray, windows: Sequence[Window], profile: Profile) -> np.ndarray:
    """The times of all frames that the windows should pick, rising, each once: `[P]` seconds.

    `times_s` are the expected times of all frames `[N]`, rising, from the first picture.
    """
    chosen = [np.empty(0, int)]
    for window in windows:
        first, last = np.searchsorted(times_s, [window.start_s - 1e-6, window.end_s - 1e-6])
        n_wanted = frame_count(window.seconds, profile.fps, profile.min_frames)
        inside = times_s[first:last]
        chosen.append(first + picks(inside, window.start_s, window.end_s, n_wanted))
    return times_s[np.unique(np.concatenate(chosen))]


def picks_at_once(picked_s: np.ndarray, within_s: float) -> int:
    """How many of the picks lie within some interval of that length."""
    last = np.searchsorted(picked_s, picked_s + within_s, side="right")
    return int((last - np.arange(len(picked_s))).max(initial=0))


def select_expression(times_s: np.ndarray, picked_s: np.ndarray) -> str:
    """An expression that is true for the first frame at or after each picked time.

    It counts the thresholds that lie before a frame, and lets the frame through if they are more
    than for the frame before it. A balanced tree finds the count in a few steps, however long
    the video. Thresholds lie a little before the picked times, for rounding.
    """
    if not len(picked_s):
        return "1"
    gaps_s = np.diff(times_s)
    early_s = min(_EARLY_S, float(gaps_s[gaps_s > 0].min(initial=1.0)) / 4)
    count = _count(picked_s - early_s, 0)
    return f"st(1,t-start_t);st(2,ld(0));st(0,{count});gt(ld(0),ld(2))"


def _count(thresholds_s: np.ndarray, before: int) -> str:
    """How many thresholds are at or before register 1, given that `before` others are."""
    if len(thresholds_s) <= _LEAF:
        return "+".join([str(before), *(f"gte(ld(1),{time:.6f})" for time in thresholds_s)])
    middle = len(thresholds_s) // 2
    low = _count(thresholds_s[:middle], before)
    high = _count(thresholds_s[middle:], before + middle)
    return f"if(lt(ld(1),{thresholds_s[middle]:.6f}),{low},{high})"
