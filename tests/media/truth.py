"""Reads what a clip really shows and sounds like, and compares it with what its interval holds.

The recordings carry their own truth. A picture shows a number as 3 × 4 grey blocks, read row by
row from the highest bit: number n belongs to second n / 25 of the true clock. At every whole second
k of that clock a beep of 0.1 s sounds at 400 + 50 · k Hz. So pixels and samples say which second
they belong to, and nothing that a decoder claims is believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ah_ray.records import Clip

NUMBERS_PER_S = 25
RATE_HZ = 16_000
BEEP_S = 0.1
BEEP_TOLERANCE_S = 0.1
_BAR_LEVEL = 14
"""Bars beside a picture are black (0); the dark blocks of a picture are about 28."""


# ── Pixels ──────────────────────────────────────────────────────────────────────────────────────


def picture_box(frame: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of `[H, W, 3] uint8` that no black bar covers."""
    light = frame[..., 1] > _BAR_LEVEL  # blocks are grey: one channel tells
    rows = np.flatnonzero(light.mean(axis=1) > 0.2)
    columns = np.flatnonzero(light.mean(axis=0) > 0.2)
    if not len(rows) or not len(columns):
        return slice(0, frame.shape[0]), slice(0, frame.shape[1])
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def read_number(frame: np.ndarray, *, quarter_turns: int = 0, mirrored: bool = False) -> int | None:
    """Return the number that a frame `[H, W, 3] uint8` of any size shows; null if it shows none.

    Black bars around the picture are ignored. A picture that is turned (counter-clockwise, in
    quarters) or mirrored is turned back first.
    """
    upright = np.rot90(frame[:, ::-1] if mirrored else frame, -quarter_turns)
    rows, columns = picture_box(upright)
    picture = upright[rows, columns, 1]
    height_px, width_px = picture.shape
    number = 0
    for row in range(3):
        for column in range(4):
            y0, y1 = (int((row + part) * height_px / 3) for part in (0.3, 0.7))
            x0, x1 = (int((column + part) * width_px / 4) for part in (0.3, 0.7))
            level = picture[y0 : y1 + 1, x0 : x1 + 1].mean()
            if 85 < level < 170:
                return None
            number = 2 * number + int(level >= 170)
    return number


def circle_ratio(frame: np.ndarray) -> float:
    """Return width ÷ height of the light shape on a dark `[H, W, 3] uint8`; a circle has 1."""
    light = frame.mean(axis=2) > 128
    rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
    if not len(rows):
        return math.nan
    return (columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1)


def patch_colours(frame: np.ndarray, rows: int = 2, columns: int = 4) -> np.ndarray:
    """Return the mean colours `[rows, columns, 3]` at the centres of a chart's patches."""
    height_px, width_px, _ = frame.shape
    return np.array(
        [
            [
                frame[
                    int((row + 0.3) * height_px / rows) : int((row + 0.7) * height_px / rows),
                    int((column + 0.3) * width_px / columns) : int(
                        (column + 0.7) * width_px / columns
                    ),
                ].mean(axis=(0, 1))
                for column in range(columns)
            ]
            for row in range(rows)
        ]
    )


# ── Samples ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Beep:
    """A burst of sound: when it begins in its clip, how long it lasts, which second it names."""

    at_s: float
    lasts_s: float
    second: float  # k of 400 + 50 · k Hz, not rounded


def find_beeps(samples: np.ndarray) -> list[Beep]:
    """Return the bursts above 0.02 in 16 kHz mono `[N] float32` that last at least 10 ms."""
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    if not len(loud):
        return []
    apart = np.diff(loud) > 0.05 * RATE_HZ
    begins, ends = loud[np.r_[True, apart]], loud[np.r_[apart, True]] + 1
    return [
        Beep(begin / RATE_HZ, (end - begin) / RATE_HZ, _second(samples[begin:end]))
        for begin, end in zip(begins, ends, strict=True)
        if end - begin >= 0.01 * RATE_HZ
    ]


def _second(burst: np.ndarray) -> float:
    size = 1 << 15
    spectrum = np.abs(np.fft.rfft(burst * np.hanning(len(burst)), size))
    return (spectrum.argmax() * RATE_HZ / size - 400) / 50


# ── A clip against the truth of its interval ────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a video's timeline that shows one stretch of the true clock.

    Second `from_s` of the timeline is second `true_s` of the true clock. Without `true_s`, the
    picture that was shown before stands still, or there is no sound.
    """

    from_s: float
    until_s: float
    true_s: float | None

    def true_at(self, time_s: float) -> float:
        return self.true_s + time_s - self.from_s

    def time_of(self, true_s: float) -> float:
        return self.from_s + true_s - self.true_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a video shows and sounds like, second by second.

    `numbers` are those of the pictures that the file holds, rising. `frame_s` is how long one
    picture lasts; a pick may be one picture off.
    """

    pictures: Sequence[Part]
    sound: Sequence[Part]
    numbers: np.ndarray  # [N] int
    frame_s: float = 1 / NUMBERS_PER_S
    off_s: float = 0.0  # how far a pick may be off, where that is more than one picture
    optional: Sequence[Sequence[float]] = ()  # [from, until) of the true clock: beeps may be lost

    def list_shown(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the times and numbers of the pictures on the timeline, `[M]` each, in order."""
        times, numbers = [], []
        for part in self.pictures:
            if part.true_s is None:
                continue
            at = part.time_of(self.numbers / NUMBERS_PER_S)
            # More than 25 pictures a second show the nearest number, so half a number too early.
            early_s = max(0.0, 0.5 / NUMBERS_PER_S - self.frame_s / 2)
            inside = (at >= part.from_s - 1e-3) & (at < part.until_s - 1e-3 + early_s)
            times.append(at[inside])
            numbers.append(self.numbers[inside])
        return np.concatenate(times), np.concatenate(numbers)


def check_clip(clip: Clip, timeline: Timeline, *, n_wanted: int, beeps: bool = True) -> list[str]:
    """Return what is wrong with a clip's pictures and sound; nothing if all is right.

    A clip that says why it has no content is right here; whether it may fail is the case's matter.
    """
    if clip.error_kind is not None:
        return []
    wrong = list(_wrong_pictures(clip, timeline, n_wanted))
    if beeps:
        wrong += _wrong_sound(clip, timeline.sound, timeline.optional)
    return [f"{clip.start_s:g}–{clip.end_s:g} s: {reason}" for reason in wrong]


def _wrong_pictures(clip: Clip, timeline: Timeline, n_wanted: int) -> Iterator[str]:
    seen = [read_number(frame) for frame in clip.frames]
    if None in seen:
        yield f"picture {seen.index(None)} shows no number"
        return
    times_s, numbers = timeline.list_shown()
    one_off_s = max(timeline.frame_s, timeline.off_s, 1 / NUMBERS_PER_S) + 0.012
    begin, end = np.searchsorted(times_s, [clip.start_s - 0.012, clip.end_s - 0.012])
    inside = numbers[begin:end]
    if len(seen) != n_wanted and len(seen) != len(inside) + len(inside) % 2 and len(inside):
        yield f"{len(seen)} pictures, not {n_wanted}"
    if _picked_by_count(seen, numbers, int(begin), int(end)):
        return
    gap_s = float(np.median(np.diff(times_s[begin:end]))) if end - begin > 2 else timeline.frame_s
    for spacing_s in {timeline.frame_s, gap_s}:
        wanted_s = np.linspace(clip.start_s, clip.end_s - spacing_s, len(seen))
        off = [
            (wanted, number)
            for wanted, number in zip(wanted_s, seen, strict=True)
            if not _stands_there(number, wanted, clip, times_s, numbers, one_off_s)
        ]
        if not off:
            return
    wanted, number = off[0]
    yield f"{len(off)} of {len(seen)} pictures are of other times (at {wanted:.2f} s one of " + (
        f"{number / NUMBERS_PER_S:.2f} s); it shows {seen}"
    )


def _picked_by_count(seen: list[int], numbers: np.ndarray, begin: int, end: int) -> bool:
    """As the reference picks: evenly by count among the interval's pictures, or all."""
    n = end - begin
    if not n:
        return False
    if n < len(seen):
        places = np.minimum(np.arange(len(seen)), n - 1)
    else:
        places = np.linspace(0, n - 1, len(seen)).round().astype(int)
    near = [numbers[max(0, p + begin - 1) : p + begin + 2] for p in places]
    return all(number in some for number, some in zip(seen, near, strict=True))


def _stands_there(
    number: int,
    wanted_s: float,
    clip: Clip,
    times_s: np.ndarray,
    numbers: np.ndarray,
    one_off_s: float,
) -> bool:
    """Whether the picture stands at that time, or is the nearest to it within the clip."""
    if not len(times_s):
        return False
    for near_s in (wanted_s - one_off_s, wanted_s, wanted_s + one_off_s):
        last = max(0, int(np.searchsorted(times_s, near_s, side="right")) - 1)
        if number == numbers[last]:
            return True
    shown_s = times_s[numbers == number]
    in_clip = shown_s[(shown_s >= clip.start_s - one_off_s) & (shown_s < clip.end_s + one_off_s)]
    all_in_clip = times_s[(times_s >= clip.start_s - 0.012) & (times_s < clip.end_s - 0.012)]
    if not len(in_clip) or not len(all_in_clip):
        return False
    nearest_s = np.abs(all_in_clip - wanted_s).min()
    return bool(np.abs(in_clip - wanted_s).min() <= nearest_s + one_off_s)


def _wrong_sound(
    clip: Clip, parts: Sequence[Part], optional: Sequence[Sequence[float]]
) -> Iterator[str]:
    found = find_beeps(clip.samples)
    expected = list(_expected_beeps(clip, parts))
    for beep in found:
        at_s = clip.start_s + beep.at_s
        if beep.lasts_s < 0.03:  # the rest of one that the clip cuts, or a click where parts meet
            near = [s for s, _ in expected if -BEEP_TOLERANCE_S < at_s - s < 2 * BEEP_S]
            if not near and beep.lasts_s > 0.015:
                yield f"a sound at {at_s:.2f} s that belongs nowhere"
            continue
        fits = [
            s
            for s, second in expected
            if abs(beep.second - second) < 0.6 + 0.02 / beep.lasts_s
            and -BEEP_TOLERANCE_S <= at_s - s <= BEEP_S + (0 if at_s > clip.start_s else 0.02)
        ]
        if not fits:
            yield f"the beep of second {beep.second:.1f} sounds at {at_s:.2f} s"
    for at_s, second in expected:
        whole = (
            clip.start_s + 0.02 < at_s < clip.end_s - BEEP_S - 0.02
            and sum(part.from_s + 0.02 < at_s < part.until_s - 0.12 for part in parts) == 1
        )
        heard = any(abs(clip.start_s + beep.at_s - at_s) <= BEEP_TOLERANCE_S for beep in found)
        if whole and not heard and not any(a <= second < b for a, b in optional):
            yield f"the beep of second {second} is not heard at {at_s:.2f} s"


def _expected_beeps(clip: Clip, parts: Sequence[Part]) -> Iterator[tuple[float, int]]:
    """When which beep sounds in a clip or at its edges."""
    for part in parts:
        if part.true_s is None:
            continue
        first = part.true_at(max(part.from_s, clip.start_s) - 0.3)
        last = part.true_at(min(part.until_s, clip.end_s) + 0.1)
        for second in range(max(1, math.ceil(first)), math.floor(last) + 1):
            yield part.time_of(second), second
