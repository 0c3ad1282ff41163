"""Sessions: the stretches of a track in which its clock does not go back, and what is out of place.

A recorder that restarts its clock begins a session; so does a file that was joined to another. A
packet far ahead or back, after which the clock goes on as before, belongs to none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SAME_START_S = 5.0
"""Picture and sound of one session start within this time of each other."""

_LEAP_S = 0.5
"""A step forward of more than this is looked at: it is a gap, or a packet out of place."""

_LOOK_AHEAD = 16
"""How many of the packets that follow decide whether the clock, or one packet, has jumped."""

_FEW_PACKETS = 3
"""A first session, or a stray beginning or end, of no more packets than this is a glitch."""

_MOST_REORDER_S = 1.0
_MOST_REORDERED = 16
"""Pictures are decoded earlier than they are shown by no more than one of these two: a second, or
as many pictures as any codec keeps, which takes longer where there is one a second."""

_STRAY_S = 3.0
"""A few first or last pictures farther than this from all others are suspected."""

_OVERLAP_S = 1.0
"""Where one track alone steps back by less than this, it overlaps and does not start again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packets:
    """The packets of one track, in the order of the file."""

    times_s: np.ndarray  # [N] float64, as the file gives them; NaN where it gives none
    durations_s: np.ndarray  # [N] float64; 0 where unknown
    is_key: np.ndarray  # [N] bool
    is_shown: np.ndarray  # [N] bool: False if an edit list or the codec hides it
    order: np.ndarray  # [N] int64: the place among all packets of the file

    def __len__(self) -> int:
        return len(self.times_s)


def mark_shown_pictures(pictures: Packets) -> np.ndarray:
    """Return which packets show a picture that needs nothing before the beginning of the file."""
    shown: np.ndarray = pictures.is_shown & ~np.isnan(pictures.times_s)
    keys = np.flatnonzero(pictures.is_key)
    if not len(keys):
        return shown
    first = keys[0]
    shown[:first] = False
    if shown[first]:
        late = pictures.times_s[first]
        second = keys[1] if len(keys) > 1 else len(shown)
        leading = np.arange(len(shown)) < second
        leading &= pictures.times_s < late
        leading &= late - pictures.times_s < _most_reorder_s(pictures.times_s[shown])
        shown &= ~leading
    return shown


def drop_stray_ends(
    session: np.ndarray, pictures: Packets, sound: Packets | None, sound_session: np.ndarray
) -> np.ndarray:
    """Leave out a few first or last pictures far from all others where no sound goes with them."""
    if sound is None or not (sound_session >= 0).any():
        return session
    session = session.copy()
    heard = np.flatnonzero(sound_session == sound_session.max())
    sound_end_s = float((sound.times_s[heard] + sound.durations_s[heard]).max())
    mine, gaps = _by_time(session, pictures.times_s, int(session.max()))
    for place in np.flatnonzero(gaps[-_FEW_PACKETS:] > _STRAY_S) + max(0, len(gaps) - _FEW_PACKETS):
        if sound_end_s < pictures.times_s[mine[place + 1]] - _STRAY_S / 2:
            session[mine[place + 1 :]] = -1
            break
    sound_start_s = float(sound.times_s[np.flatnonzero(sound_session == 0)].min())
    mine, gaps = _by_time(session, pictures.times_s, 0)
    for place in np.flatnonzero(gaps[:_FEW_PACKETS] > _STRAY_S)[::-1]:
        if sound_start_s > pictures.times_s[mine[place]] + _STRAY_S / 2:
            session[mine[: place + 1]] = -1
            break
    return session


def join_overlaps(
    pictures: Packets, session: np.ndarray, sound: Packets | None, sound_session: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join sessions that overlap a little in one track and go on as before in the other.

    That is a seam, at which an encoder starts with what it needs to warm up, and no other clock.
    """
    if sound is None:
        return session, sound_session
    picture_steps, sound_steps = _steps_back(pictures, session), _steps_back(sound, sound_session)
    return (
        _join_sessions(session, picture_steps, sound_steps),
        _join_sessions(sound_session, sound_steps, picture_steps),
    )


def find_sessions(times_s: np.ndarray, use: np.ndarray, is_key: np.ndarray | None) -> np.ndarray:
    """Return which session each packet belongs to: `[N] int`, −1 for one that is out of place.

    A session is a stretch in which the clock does not go back.
    """
    session = np.full(len(times_s), -1)
    chosen = np.flatnonzero(use)
    if not len(chosen):
        return session
    times = times_s[chosen]
    typical_s, reorder_s = usual_gap_s(times), _reorder_s(times)
    leap_s = max(_LEAP_S, 3 * typical_s, reorder_s + 2 * typical_s)
    top = np.maximum.accumulate(times)
    odd = np.zeros(len(times), bool)
    odd[1:] = (times[1:] < top[:-1] - reorder_s - 1e-6) | (times[1:] > top[:-1] + leap_s)
    if is_key is not None:
        odd &= ~((times < top) & (times > _anchor_before(top)))
    restarts_at_key = keys = np.zeros(len(times), bool)
    if is_key is not None:
        keys = is_key[chosen]
        back = np.zeros(len(times), bool)
        back[1:] = keys[1:] & (times[1:] <= top[:-1] - typical_s / 2)
        # Where many "key frames" are shown before pictures that came earlier, the flag is wrong.
        restarts_at_key = back if back.sum() <= 0.1 * max(keys.sum(), 10) else restarts_at_key
    if not (odd | restarts_at_key).any():
        session[chosen] = 0
        return session
    tell = keys if restarts_at_key.any() else np.zeros(len(times), bool)
    session[chosen] = _walk(times, is_key is not None, tell, typical_s, reorder_s, leap_s)
    return session


def _walk(
    times: np.ndarray,
    has_anchors: bool,
    keys_that_tell: np.ndarray,
    typical_s: float,
    reorder_s: float,
    leap_s: float,
) -> np.ndarray:
    """Follow the clock packet by packet, and ask those that follow wherever it jumps."""
    found = np.zeros(len(times), int)
    steps = np.arange(1, _LOOK_AHEAD + 1) * typical_s
    last_s, anchor_s, current = times[0], math.inf, 0
    for index in range(1, len(times)):
        time_s = times[index]
        is_early = has_anchors and anchor_s < time_s < last_s  # decoded after what is shown later
        goes_back = time_s < last_s - reorder_s - 1e-6 and not is_early
        goes_back = goes_back or bool(keys_that_tell[index] and time_s <= last_s - typical_s / 2)
        if not goes_back and time_s <= last_s + leap_s:
            found[index] = current
            if time_s > last_s:
                last_s, anchor_s = time_s, last_s
            continue
        after = times[index + 1 : index + 1 + _LOOK_AHEAD]
        later = np.flatnonzero(after > time_s)
        if not goes_back and len(later) and (after[later[0] :] > time_s).all():
            # A gap: all goes on behind it, but for pictures that are decoded late.
            found[index] = current
            last_s, anchor_s = time_s, last_s
            continue
        ahead = steps[: len(after)]
        goes_on = np.abs(after - (last_s + typical_s + ahead)) < np.abs(after - (time_s + ahead))
        n_old, n_new = int(goes_on.sum()), int((~goes_on).sum())
        if n_old > n_new or (goes_back and n_old == n_new):
            found[index] = -1
            continue
        if goes_back:
            current += 1
            anchor_s = math.inf
        else:
            anchor_s = last_s
        found[index], last_s = current, time_s
    if current and (found == 0).sum() <= _FEW_PACKETS:
        found = np.where(found > 0, found - 1, -1)
    return found


def _anchor_before(top: np.ndarray) -> np.ndarray:
    """Return the highest time before the last one that was higher: `[N]`, inf if there is none.

    A picture that is shown before another one that was decoded earlier is shown after this time,
    however long the pause between these two is.
    """
    rises = np.r_[True, top[1:] > top[:-1]]
    last = np.maximum.accumulate(np.where(rises, np.arange(len(top)), 0))
    return np.where(last > 0, top[last - 1], np.inf)


def usual_gap_s(times_s: np.ndarray) -> float:
    """Return the usual distance of two packets, in seconds."""
    gaps = np.diff(np.sort(times_s))
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 0.04


def _reorder_s(times_s: np.ndarray) -> float:
    """Return how far times go back where a picture is decoded before one that is shown earlier."""
    steps = np.diff(times_s)
    back = -steps[steps < 0]
    if len(back) < 0.02 * max(len(steps), 1) or len(back) < 2:
        return 0.0
    return min(_most_reorder_s(times_s), 2 * float(np.percentile(back, 90)))


def _most_reorder_s(times_s: np.ndarray) -> float:
    """Return how far times can go back at most because pictures are decoded before others."""
    return max(_MOST_REORDER_S, _MOST_REORDERED * usual_gap_s(times_s))


def _by_time(
    session: np.ndarray, times_s: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the packets of a session by their times, and the gaps between them."""
    mine = np.flatnonzero(session == number)
    mine = mine[np.argsort(times_s[mine], kind="stable")]
    if len(mine) <= _FEW_PACKETS + 1:
        return mine, np.empty(0)
    return mine, np.diff(times_s[mine])


def _steps_back(track: Packets, session: np.ndarray) -> list[tuple[float, float]]:
    """Return (first time, how far it lies before the end of the session before) of each session."""
    steps = []
    for number, start in enumerate(first_of_each(session)):
        before = track.times_s[session == number - 1]
        back_s = float(before.max() - track.times_s[start]) if len(before) else math.inf
        steps.append((float(track.times_s[start]), back_s))
    return steps


def _join_sessions(
    session: np.ndarray, steps: list[tuple[float, float]], others: list[tuple[float, float]]
) -> np.ndarray:
    """Return sessions without those that are an overlap which the other track does not have."""
    number, joined = 0, session.copy()
    for place, (time_s, back_s) in enumerate(steps):
        matches = any(
            abs(time_s - other_s) < SAME_START_S and abs(back_s - other_back_s) < _OVERLAP_S / 2
            for other_s, other_back_s in others[1:]
        )
        if place and (matches or back_s >= _OVERLAP_S):
            number += 1
        joined[session == place] = number
    return joined


def first_of_each(session: np.ndarray) -> list[int]:
    """Return the index of the first packet of each session."""
    if not (session >= 0).any():
        return []
    return [int(np.argmax(session == number)) for number in range(int(session.max()) + 1)]
