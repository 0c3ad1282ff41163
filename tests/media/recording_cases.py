"""The recordings with known truth: what is right for each, and a judge that decodes and compares.

`recordings/cases.yaml` states what is right for each file. This module reads it, decodes a
recording, and says what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml
from decoding import PROFILE
from numbered_sessions import CHART
from truth import (
    NUMBERS_PER_S,
    Part,
    Timeline,
    check_clip,
    circle_ratio,
    patch_colours,
    read_number,
)

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.media.windows import Given, plan
from ah_ray.profile import Profile, load_profile
from ah_ray.records import Clip, VideoFacts

FOLDER = Path(__file__).with_name("recordings")
SOUND_OUTSIDE_S = (0.0, 0.6)
"""A codec's padding, or the last packets after the last picture, are nothing to remark on."""

_COLOUR_TOLERANCE = 6  # of 255
_LARGE = load_profile("seed")
_CIRCLE_TOLERANCE = 0.08  # sizes are multiples of 32 px, so a little of the ratio is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is right for one recording. Times are in seconds.

    `pictures` and `sound` are lists of [from, true second]: from that second of the timeline on,
    the true clock shows that second; null for a picture that stands still, or for no sound.
    `sessions` instead lists [first, last) true seconds of parts that follow each other somehow.
    Clips that touch an interval of `may_fail` may fail with `decode`.
    """

    file: str
    topic: str = ""
    right: str = ""  # in plain English
    was: str = ""  # what the decoder before PyAV did: ok or fault
    content: str = "numbers"  # or circle; colours, as a plain decoder's; chart, as they were drawn
    duration_s: float
    duration_tolerance_s: float = 0.1
    pictures: Sequence[Sequence[float | None]] = ((0.0, 0.0),)
    sound: Sequence[Sequence[float | None]] | None = ((0.0, 0.0),)
    sessions: Sequence[Sequence[float]] = ()
    or_sessions: Sequence[Sequence[float]] = ()  # as right as `sessions`
    numbers: Sequence[Sequence[int]] | None = (
        None  # [first, behind the last(, step)], else they are read
    )
    frame_s: float = 0.04
    off_s: float = 0.0  # how far a pick may be off; one frame at least
    beeps_optional: Sequence[Sequence[float]] = ()  # true seconds whose beeps may be lost
    may_fail: Sequence[Sequence[float]] = ()
    size_px: Sequence[int] = (320, 240)
    has_audio: bool | None = True  # null: either
    sound_is_silent: bool = False
    unscored_sound_s: Sequence[float] = SOUND_OUTSIDE_S
    remarks: Sequence[str] = ()
    remarks_allowed: Sequence[str] = ()
    error_kinds: Sequence[str] = ()  # of the video, where it may fail as a whole
    error_says: str = ""  # a word that the error of such a video must hold

    @property
    def path(self) -> Path:
        return FOLDER / self.file


@dataclass(slots=True)
class Verdict:
    """What is wrong with a decoded recording, by what it concerns."""

    content: list[str] = field(default_factory=list)  # pictures and sound of clips
    row: list[str] = field(default_factory=list)  # duration, size, flags, errors
    remarks: list[str] = field(default_factory=list)  # what should have been said, or not

    def __iter__(self):
        return iter((*self.content, *self.row, *self.remarks))

    def __str__(self) -> str:
        more = len(list(self)) - 4
        return "; ".join(list(self)[:4]) + (f"; and {more} more" if more > 0 else "") or "right"


@cache
def load_cases() -> dict[str, Case]:
    """Return all cases of recordings/cases.yaml by file name."""
    listed: list[dict[str, Any]] = yaml.safe_load((FOLDER / "cases.yaml").read_text())
    return {entry["file"]: Case(**entry) for entry in listed}


@cache
def shown_numbers(path: Path) -> np.ndarray:
    """Return the numbers of all pictures of the first picture stream, rising: `[N] int`."""
    with av.open(str(path)) as container:
        numbers = {
            read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        }
    return np.array(sorted(numbers - {None}), dtype=int)


def judge(
    case: Case,
    *,
    windows: Windows | Given | None = None,
    path: Path | None = None,
) -> Verdict:
    """Decode a recording and return what is wrong with it."""
    windows = windows or Windows()
    profile = _LARGE if case.content == "circle" else PROFILE
    *clips, facts = decode(
        path or case.path, profile=profile, windows=windows, limits=Limits(timeout_s=300)
    )
    return judge_decoded(case, clips, facts, path=path, windows=windows, profile=profile)


def judge_decoded(
    case: Case,
    clips: list[Clip],
    facts: VideoFacts,
    *,
    windows: Windows | Given,
    profile: Profile = PROFILE,
    path: Path | None = None,
) -> Verdict:
    """Return what is wrong with the clips and facts of a recording."""
    if case.or_sessions:
        lasts_s = sum(until - begin for begin, until in case.or_sessions)
        other = replace(case, sessions=case.or_sessions, or_sessions=(), duration_s=lasts_s)
        first = replace(case, or_sessions=())
        verdicts = [
            judge_decoded(one, clips, facts, windows=windows, profile=profile, path=path)
            for one in (first, other)
        ]
        return min(verdicts, key=lambda verdict: len(list(verdict)))
    wrong = Verdict()
    if not any(clip.error_kind is None for clip in clips) and (case.error_kinds or not clips):
        if facts.error_kind not in case.error_kinds or case.error_says not in facts.error:
            wrong.row.append(f"the video fails: {facts.error_kind}, {facts.error}")
        return wrong
    if case.error_says:
        wrong.row.append(f"the video does not fail, though it is {case.error_says}")
    whole = isinstance(windows, Windows)
    wrong.row += _wrong_row(case, clips, facts, windows)
    if whole:
        wrong.remarks += _wrong_remarks(case, facts)
    if case.content == "circle":
        wrong.content += _wrong_circles(clips)
    elif case.content == "colours":
        wrong.content += _wrong_colours(clips, _plain_colours(case.path))
    elif case.content == "chart":
        wrong.content += _wrong_colours(clips, CHART)
    else:
        numbers = (
            shown_numbers(path or case.path)
            if case.numbers is None
            else np.concatenate([np.arange(*numbers) for numbers in case.numbers])
        )
        wrong.content += _wrong_times(case, clips, numbers, profile, whole=whole)
    return wrong


def n_wanted(clip: Clip, profile: Profile) -> int:
    """Return how many pictures the reference takes from a clip of that length."""
    seconds = clip.end_s - clip.start_s
    return max(profile.min_frames, 2 * int((seconds * profile.fps + 0.01) / 2))


def _wrong_row(case: Case, clips: list[Clip], facts: VideoFacts, windows: Windows | Given):
    for clip in clips:
        if clip.error_kind is None:
            continue
        allowed = any(clip.start_s < b and clip.end_s > a for a, b in case.may_fail)
        if not allowed or clip.error_kind != "decode":
            yield f"{clip.start_s:g}–{clip.end_s:g} s fails: {clip.error_kind}, {clip.error}"
    if not isinstance(windows, Windows):
        return
    failed = any(clip.error_kind for clip in clips)
    spans = [(clip.start_s, clip.end_s) for clip in clips]
    planned = [(window.start_s, window.end_s) for window in plan(facts.duration_s or 0, windows)]
    if not failed and (
        len(spans) != len(planned) or np.abs(np.subtract(spans, planned)).max() > 0.01
    ):
        yield f"its windows {spans} are not those of {facts.duration_s} s"
    off_s = abs((facts.duration_s or 0) - case.duration_s)
    if off_s > case.duration_tolerance_s and not (case.sessions and failed):
        yield f"it lasts {facts.duration_s:g} s, not {case.duration_s:g} s"
    if (facts.width_px, facts.height_px) != tuple(case.size_px):
        yield f"it is {facts.width_px}×{facts.height_px} px, not {'×'.join(map(str, case.size_px))}"
    if case.has_audio is not None and facts.has_audio is not case.has_audio:
        yield f"has_audio is {facts.has_audio}"
    if facts.sound_is_silent is not case.sound_is_silent:
        yield f"sound_is_silent is {facts.sound_is_silent}"


def _wrong_remarks(case: Case, facts: VideoFacts):
    given = set(getattr(facts, "remarks", ()))
    if missing := sorted(set(case.remarks) - given):
        yield f"it should remark {', '.join(missing)}"
    if more := sorted(given - set(case.remarks) - set(case.remarks_allowed)):
        yield f"it remarks {', '.join(more)} without need"
    low, high = case.unscored_sound_s
    if not low <= getattr(facts, "unscored_sound_s", 0.0) <= high:
        yield f"unscored_sound_s is {getattr(facts, 'unscored_sound_s', 0.0):g}"


def _wrong_times(
    case: Case, clips: list[Clip], numbers: np.ndarray, profile: Profile, *, whole: bool
) -> list[str]:
    wrong: list[str] = []
    if case.sessions:
        parts, wrong = _fitted_sessions(case, clips, whole=whole)
        sound = parts
    else:
        parts = _parts(case.pictures, case.duration_s + case.duration_tolerance_s)
        sound = _parts(case.sound, math.inf) if case.sound is not None else []
    timeline = Timeline(
        pictures=parts,
        sound=sound,
        numbers=numbers,
        frame_s=case.frame_s,
        off_s=case.off_s,
        optional=case.beeps_optional,
    )
    for clip in clips:
        wrong += check_clip(clip, timeline, n_wanted=n_wanted(clip, profile))
    return wrong


def _parts(listed: Sequence[Sequence[float | None]], end_s: float) -> list[Part]:
    ends = [begin for begin, _ in listed[1:]] + [end_s]
    return [
        Part(from_s=begin, until_s=until, true_s=true)
        for (begin, true), until in zip(listed, ends, strict=True)
    ]


def _fitted_sessions(case: Case, clips: list[Clip], *, whole: bool) -> tuple[list[Part], list[str]]:
    """Find where each session lies on the timeline, by the numbers of its pictures.

    They must follow each other without a hole, in their order.
    """
    parts: list[Part] = []
    wrong: list[str] = []
    for first_s, last_s in case.sessions:
        offsets = [
            wanted - number / NUMBERS_PER_S
            for clip in clips
            if clip.error_kind is None
            for wanted, number in zip(
                np.linspace(clip.start_s, clip.end_s - case.frame_s, len(clip.frames)),
                [read_number(frame) or 0 for frame in clip.frames],
                strict=True,
            )
            if first_s <= number / NUMBERS_PER_S < last_s
        ]
        if not offsets:
            if whole and not any(clip.error_kind for clip in clips):
                wrong.append(f"nothing of {first_s:g}–{last_s:g} s of the true clock is shown")
            continue
        offset_s = float(np.median(offsets))
        part = Part(from_s=first_s + offset_s, until_s=last_s + offset_s, true_s=first_s)
        if parts and not -0.1 <= part.from_s - parts[-1].until_s <= 0.5:
            wrong.append(
                f"the part of {first_s:g} s begins at {part.from_s:.2f} s, while the one before "
                f"ends at {parts[-1].until_s:.2f} s"
            )
        parts.append(part)
    return parts, wrong


def _wrong_circles(clips: list[Clip]):
    for clip in clips:
        if clip.error_kind is not None:
            continue
        ratios = [circle_ratio(frame) for frame in clip.frames]
        worst = max(ratios, key=lambda ratio: abs(math.log(ratio)))
        if abs(math.log(worst)) > _CIRCLE_TOLERANCE:
            yield f"{clip.start_s:g}–{clip.end_s:g} s: a circle is {worst:.2f} × as wide as high"


def _plain_colours(path: Path) -> np.ndarray:
    """Return the colours of the first picture as PyAV alone converts it."""
    with av.open(str(path)) as container:
        return patch_colours(next(container.decode(video=0)).to_ndarray(format="rgb24"))


def _wrong_colours(clips: list[Clip], expected: np.ndarray):
    for clip in clips:
        if clip.error_kind is not None:
            continue
        off = max(np.abs(patch_colours(frame) - expected).max() for frame in clip.frames)
        if off > _COLOUR_TOLERANCE:
            yield f"{clip.start_s:g}–{clip.end_s:g} s: colours are off by {off:.0f} of 255"
