"""Where packets of sound belong on the timeline, where their own times cannot be right. Pure."""

from __future__ import annotations

import numpy as np

from ah_ray.media.caged.timing.sessions import Packets

_JITTER_S = 0.06
"""A packet whose time is no farther from the end of the one before than this follows it."""

_LONGEST_BURST_S = 1.0
"""Packets that arrive late together have the time of their arrival: by no more than this."""


def place_strays(sound_s: np.ndarray, sound: Packets) -> np.ndarray:
    """Place a packet of sound that is out of place after the one before it."""
    for index in np.flatnonzero(np.isnan(sound_s) & sound.is_shown & ~np.isnan(sound.times_s)):
        if index and not np.isnan(sound_s[index - 1]):
            sound_s[index] = sound_s[index - 1] + sound.durations_s[index - 1]
    return sound_s


def spread_bursts(sound_s: np.ndarray, durations_s: np.ndarray) -> np.ndarray:
    """Lay packets that arrived together end to end.

    A live recorder stamps packets when they arrive. After a delay many arrive at once, so their
    times leave a gap and then overlap, or overlap alone. The sound itself has no gap there: within
    a second, times agree again with packets that followed one another all the while.

    Args:
        sound_s: The place of each packet in seconds, NaN for those that are left out: `[M]`.
        durations_s: How long each lasts, 0 where that is not known: `[M]`.

    Returns:
        The places: `[M] float64`.
    """
    known = np.flatnonzero(~np.isnan(sound_s))
    times, lasts = sound_s[known], durations_s[known]
    if len(known) < 3 or (lasts <= 0).any():
        return sound_s
    # How far the times have run ahead of packets that follow one another from the first one on.
    ahead = times - times[0] - np.r_[0.0, np.cumsum(lasts)[:-1]]
    if (np.abs(np.diff(ahead)) <= _JITTER_S / 3).all():
        return sound_s
    ends = np.cumsum(lasts)
    spread = ahead.copy()
    level, at = ahead[0], 1
    while at < len(ahead):
        if abs(ahead[at] - level) <= _JITTER_S:
            level += 0.05 * (ahead[at] - level)  # a clock that is a little fast or slow
            at += 1
            continue
        behind = int(np.searchsorted(ends, ends[at] + _LONGEST_BURST_S))
        back = np.flatnonzero(np.abs(ahead[at + 1 : behind] - level) <= _JITTER_S)
        arrival_s = np.ptp(times[at:])
        # After a gap, only packets that arrived in less time than they play are a burst.
        is_end = (
            behind >= len(ahead)
            and arrival_s <= _JITTER_S
            and (ahead[at] < level or lasts[at:-1].sum() - arrival_s > _JITTER_S)
        )
        if len(back) or is_end:
            after = at + 1 + int(back[0]) if len(back) else len(ahead)
            spread[at:after] = level
            if after < len(ahead):
                level = ahead[after]
            at = after
        else:
            level = ahead[at]
            at += 1
    placed = sound_s.copy()
    placed[known] = times + spread - ahead
    return placed
