"""One timeline for the pictures and the sound of a recording, from the times of its packets. Pure.

Clocks in recordings are not to be trusted: recorders restart them, joined files start again at
zero, and a glitch puts one packet an hour ahead. Here every packet gets its place in seconds from
the first picture, before anything is decoded, so that picture and sound use the same places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ah_ray.media.caged.timing.sessions import (
    SAME_START_S,
    Packets,
    drop_stray_ends,
    find_sessions,
    first_of_each,
    join_overlaps,
    mark_shown_pictures,
    usual_gap_s,
)
from ah_ray.media.caged.timing.sound_places import place_strays, spread_bursts

_LONG_PICTURE_S = 1.0
_AFTER_PICTURE_S = 0.5
_UNHEARD_S = 0.1
"""Less sound than this outside of the pictures is a codec's padding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Where every packet belongs, in seconds from the first picture."""

    picture_s: np.ndarray  # [N] float64; NaN for packets that show nothing
    sound_s: np.ndarray  # [M] float64; NaN for packets that are to be left out
    starts: tuple[int, ...]  # index of the first picture packet of each session after the first
    sound_starts: tuple[int, ...]
    duration_s: float  # the last picture's time and how long it is shown
    broken_from_s: float = math.inf  # from here on picture and sound cannot be matched
    unreferenced: tuple[tuple[float, float], ...] = field(default=())
    """Stretches whose pictures refer to pictures that the file does not hold."""
    unscored_sound_s: float = 0.0  # of sound before the first picture or after the last


def lay_out(
    pictures: Packets, sound: Packets | None, *, container_end_s: float | None = None
) -> Timeline:
    """Return the timeline of a recording.

    The first picture is shown at 0. Sessions that follow a restart of the clock are placed one
    after the other, each with its pictures and its sound by the same shift. A packet whose time is
    out of place is left out (a picture) or placed after the one before it (sound).

    Args:
        pictures: The packets of the picture track, at least one.
        sound: The packets of the sound track, if there is one.
        container_end_s: Where the file says that it ends, by the clock of its packets.
    """
    shown = mark_shown_pictures(pictures)
    session = find_sessions(pictures.times_s, shown, pictures.is_key)
    if sound is not None and len(sound):
        heard = ~np.isnan(sound.times_s) & sound.is_shown
        sound_session = find_sessions(sound.times_s, heard, None)
    else:
        sound, sound_session = None, np.empty(0, int)
    session = drop_stray_ends(session, pictures, sound, sound_session)
    session, sound_session = join_overlaps(pictures, session, sound, sound_session)
    starts = first_of_each(session)
    sound_starts = first_of_each(sound_session)
    shifts, ends, broken_from_s = _shifts(
        pictures, session, starts, sound, sound_session, sound_starts, container_end_s
    )
    picture_s = np.where(session >= 0, pictures.times_s + shifts[session.clip(0)], np.nan)
    picture_s, unreferenced = _from_first_key(picture_s, pictures, session, starts)
    if sound is None:
        sound_s, unscored_s = np.empty(0), 0.0
    else:
        owner = _owner(sound, sound_session, sound_starts, pictures, starts)
        shift = shifts[np.minimum(owner, len(shifts) - 1)]
        sound_s = np.where(sound_session >= 0, sound.times_s + shift, np.nan)
        sound_s = spread_bursts(place_strays(sound_s, sound), sound.durations_s)
        unscored_s = _outside(sound_s, sound.durations_s, ends)
    return Timeline(
        picture_s=picture_s,
        sound_s=sound_s,
        starts=tuple(starts[1:]),
        sound_starts=tuple(sound_starts[1:]),
        duration_s=ends,
        broken_from_s=broken_from_s,
        unreferenced=unreferenced,
        unscored_sound_s=unscored_s if unscored_s >= _UNHEARD_S else 0.0,
    )


def _shifts(
    pictures: Packets,
    session: np.ndarray,
    starts: list[int],
    sound: Packets | None,
    sound_session: np.ndarray,
    sound_starts: list[int],
    container_end_s: float | None,
) -> tuple[np.ndarray, float, float]:
    """Return what is added to the times of each session, where all ends, and where it breaks."""
    shifts = np.zeros(max(1, len(starts)))
    cursor_s, broken_from_s = 0.0, math.inf
    matches = _match(pictures, starts, sound, sound_session, sound_starts)
    for number in range(len(starts)):
        mine = np.flatnonzero(session == number)
        times = pictures.times_s[mine]
        shifts[number] = cursor_s - float(times.min())
        if number and not matches[number]:
            broken_from_s = min(broken_from_s, cursor_s)
        last = mine[int(times.argmax())]
        sound_end_s = _sound_end(sound, sound_session, number, shifts[number])
        is_last = number == len(starts) - 1
        end_s = _end_of_picture(
            float(times.max()) + shifts[number],
            float(pictures.durations_s[last]),
            times,
            sound_end_s,
            container_end_s + shifts[0] if container_end_s is not None and is_last and not number
            else None,
        )  # fmt: skip
        if not is_last and sound_end_s is not None and sound_end_s > end_s + _AFTER_PICTURE_S:
            end_s = sound_end_s
        cursor_s = end_s
    if sound is not None and len(sound_starts) > len(starts) and starts:
        # The sound starts again where the picture does not: nothing tells where it belongs.
        extra = sound_starts[len(starts)]
        before = np.flatnonzero(pictures.order < sound.order[extra])
        at = before[-1] if len(before) else 0
        number = max(int(session[at]), 0)
        broken_from_s = min(broken_from_s, float(pictures.times_s[at]) + shifts[number])
    return shifts, cursor_s, broken_from_s


def _end_of_picture(
    last_s: float,
    duration_s: float,
    times: np.ndarray,
    sound_end_s: float | None,
    container_end_s: float | None,
) -> float:
    """Return when the last picture of a session is over.

    A recorder may claim that the last picture is shown for an hour. The claim counts only as far as
    there is sound with it or, without sound, as far as the whole file claims to last.
    """
    typical_s = usual_gap_s(times) if len(times) > 1 else 0.0
    if duration_s <= 0:
        duration_s = typical_s
    if duration_s <= max(_LONG_PICTURE_S, 10 * typical_s):
        return last_s + duration_s
    limit_s = container_end_s if sound_end_s is None else sound_end_s
    shortest_s = last_s + (typical_s or min(duration_s, _LONG_PICTURE_S))
    if limit_s is None:
        return last_s + duration_s
    return max(shortest_s, min(last_s + duration_s, limit_s))


def _sound_end(
    sound: Packets | None, sound_session: np.ndarray, number: int, shift_s: float
) -> float | None:
    if sound is None:
        return None
    mine = np.flatnonzero(sound_session == number)
    if not len(mine):
        return None
    return float((sound.times_s[mine] + sound.durations_s[mine]).max()) + shift_s


def _match(
    pictures: Packets,
    starts: list[int],
    sound: Packets | None,
    sound_session: np.ndarray,
    sound_starts: list[int],
) -> list[bool]:
    """Return for each session whether its sound is known."""
    if sound is None or not starts:
        return [True] * len(starts)
    if len(starts) == len(sound_starts):
        return [
            abs(pictures.times_s[one] - sound.times_s[other]) < SAME_START_S or not number
            for number, (one, other) in enumerate(zip(starts, sound_starts, strict=True))
        ]
    if len(sound_starts) == 1:  # all sound lies in one of the sessions
        heard = sound.order[sound_session >= 0]
        bounds = [*pictures.order[starts], np.inf]
        inside = [
            ((heard >= low) & (heard < high)).any()
            for low, high in zip([-1, *bounds[1:-1]], bounds[1:], strict=True)
        ]
        return [sum(inside) == 1] * len(starts)
    return [number < 1 for number in range(len(starts))]


def _owner(
    sound: Packets,
    sound_session: np.ndarray,
    sound_starts: list[int],
    pictures: Packets,
    starts: list[int],
) -> np.ndarray:
    """Return the number of the picture session that each packet of sound belongs to: `[M] int`."""
    if len(starts) == len(sound_starts) or len(starts) <= 1:
        return sound_session.clip(0)
    return np.searchsorted(pictures.order[starts[1:]], sound.order, side="right")


def _from_first_key(
    picture_s: np.ndarray, pictures: Packets, session: np.ndarray, starts: list[int]
) -> tuple[np.ndarray, tuple[tuple[float, float], ...]]:
    """Leave out what a session shows before its first key frame: it refers to another session."""
    stretches = []
    for number, start in enumerate(starts[1:], start=1):
        mine = np.flatnonzero(session == number)
        keys = mine[pictures.is_key[mine]]
        first_key = keys[0] if len(keys) else mine[-1] + 1
        before = mine[mine < first_key]
        if len(before):
            end_s = picture_s[first_key] if len(keys) else float(np.nanmax(picture_s[mine])) + 1
            stretches.append((float(picture_s[start]), float(end_s)))
            picture_s[before] = np.nan
    return picture_s, tuple(stretches)


def _outside(sound_s: np.ndarray, durations_s: np.ndarray, end_s: float) -> float:
    """Return how many seconds of sound lie before the first picture or after the last."""
    known = ~np.isnan(sound_s)
    start, seconds = sound_s[known], durations_s[known]
    inside = np.minimum(start + seconds, end_s) - np.maximum(start, 0.0)
    return float((seconds - inside.clip(0.0)).sum())
