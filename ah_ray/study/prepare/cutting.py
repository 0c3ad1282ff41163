"""Labelled stretches of a video into training windows of at most 5 s. Pure.

segment ─┬─ cut every window_s ─ tail under min_tail_s: dropped, kept, or shifted back
         └─ shorter than min_tail_s: one window as it is
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ah_ray.config import Tail
from ah_ray.media.windows import TOLERANCE_S, plan
from ah_ray.study.labelled_video import LabelledVideo, Marked, MarkedAnswer
from ah_ray.study.prepare.settings import LeftOut, Negatives, PrepareSettings

UNLOCATED = "A/H videos without a marked interval"
SHORT_TAILS = "seconds of tails and gaps"
SHORT_WINDOWS = "windows too short for four pictures"
_DIGITS = 6  # of a second: no more is meant by any annotation, and 4.9 + 5 should be 9.9


@dataclass(frozen=True, slots=True, kw_only=True)
class CutWindow:
    """One window of a video."""

    start_s: float
    end_s: float
    label: int | None
    question: str | None


def windows_of(
    video: LabelledVideo, duration_s: float, settings: PrepareSettings, left_out: LeftOut
) -> list[CutWindow]:
    """Return all windows of a video, in the order of time; the rest is added to `left_out`.

    No window leaves the stretch that gives it its label; of the parts that nobody marked (where
    they are wanted as negatives) none touches a segment. Answers to questions of a profile hold for
    the windows that lie within their interval; what these do not cover is cut too, without a label.
    """
    if video.label and not video.marked:
        left_out[UNLOCATED] += 1
    found = [
        CutWindow(start_s=start_s, end_s=end_s, label=one.label, question=one.question)
        for one in video.marked
        for start_s, end_s in _cut(one.start_s, end_of(one, duration_s), settings, left_out)
    ]
    if video.label and settings.negatives is Negatives.UNMARKED:
        for start_s, end_s in unmarked(video.marked, duration_s, settings.margin_s):
            found += _cut_gap(start_s, end_s, 0, settings, left_out)
    found += _windows_of_answers(video, duration_s, found, settings, left_out)
    return sorted(found, key=lambda one: (one.start_s, one.end_s, one.question or ""))


def _windows_of_answers(
    video: LabelledVideo,
    duration_s: float,
    found: Sequence[CutWindow],
    settings: PrepareSettings,
    left_out: LeftOut,
) -> list[CutWindow]:
    """Return windows for what `found` does not cover of the intervals of a video's answers.

    Short intervals come first, so that an answer for the whole video shares the windows that were
    cut for other questions, and each moment is learned once.
    """
    spans = {(one.start_s, end_of(one, duration_s)) for one in video.answers}
    asked = [(one.start_s, one.end_s) for one in found if one.question is None]
    marked = [(one.start_s, end_of(one, duration_s)) for one in video.marked]
    added: list[CutWindow] = []
    for start_s, end_s in sorted(spans, key=lambda span: (span[1] - span[0], span)):
        within = [
            one
            for one in asked
            if start_s - TOLERANCE_S <= one[0] and one[1] <= end_s + TOLERANCE_S
        ]
        if not within:
            pieces = _cut(start_s, end_s, settings, left_out)
            new = [CutWindow(start_s=a, end_s=b, label=None, question=None) for a, b in pieces]
        else:
            new = []
            for gap in _gaps(start_s, end_s, within):
                is_counted = any(a <= gap[0] and gap[1] <= b for a, b in marked)
                counts: LeftOut = defaultdict(float) if is_counted else left_out
                new += _cut_gap(*gap, None, settings, counts)
        asked += [(one.start_s, one.end_s) for one in new]
        added += new
    return added


def _gaps(
    start_s: float, end_s: float, windows: Sequence[tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    """Yield the parts of an interval that windows within it do not cover."""
    free_s = start_s
    for first_s, last_s in sorted(windows):
        if first_s - free_s > TOLERANCE_S:
            yield free_s, first_s
        free_s = max(free_s, last_s)
    if end_s - free_s > TOLERANCE_S:
        yield free_s, end_s


def _cut_gap(
    start_s: float, end_s: float, label: int | None, settings: PrepareSettings, left_out: LeftOut
) -> list[CutWindow]:
    """Return the windows of a part between others, which is a tail if it is short."""
    if end_s - start_s < settings.min_tail_s - TOLERANCE_S and settings.tail is not Tail.KEEP:
        left_out[SHORT_TAILS] += end_s - start_s
        return []
    return [
        CutWindow(start_s=start, end_s=end, label=label, question=None)
        for start, end in _cut(start_s, end_s, settings, left_out)
    ]


def _cut(
    start_s: float, end_s: float, settings: PrepareSettings, left_out: LeftOut
) -> Iterator[tuple[float, float]]:
    covered_s = start_s
    for piece in plan(end_s - start_s, settings.windows):
        first_s, last_s = start_s + piece.start_s, min(start_s + piece.end_s, end_s)
        covered_s = last_s
        if piece.seconds < settings.min_window_s - TOLERANCE_S:
            left_out[SHORT_WINDOWS] += 1
        else:
            first_s = max(start_s, round(first_s, _DIGITS))
            longest_s = round(first_s + settings.window_s, _DIGITS)
            yield first_s, min(end_s, round(last_s, _DIGITS), longest_s)
    if end_s - covered_s > TOLERANCE_S:
        left_out[SHORT_TAILS] += end_s - covered_s


def unmarked(
    marked: Sequence[Marked], duration_s: float, margin_s: float
) -> Iterator[tuple[float, float]]:
    """Yield the intervals of a video between its segments, at least `margin_s` from each."""
    if not marked:
        return  # A/H, and nobody said where: no part of it is known to be without
    free_s = 0.0
    for one in sorted(marked, key=lambda one: one.start_s):
        if one.start_s - margin_s > free_s:
            yield free_s, one.start_s - margin_s
        free_s = max(free_s, end_of(one, duration_s) + margin_s)
    if free_s < duration_s:
        yield free_s, duration_s


def end_of(marked: Marked | MarkedAnswer, duration_s: float) -> float:
    """Return the end of a mark, which may lie a little after the end of the video."""
    return duration_s if marked.end_s is None else min(marked.end_s, duration_s)


def segments(marked: Iterable[Marked], duration_s: float) -> list[tuple[float, float]]:
    """Return the intervals where A/H was marked; none for a label of the whole video."""
    return [
        (one.start_s, end_of(one, duration_s))
        for one in marked
        if one.label and one.question is None and not one.is_whole
    ]
