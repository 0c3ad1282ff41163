"""An export of ah_ray, read back: the same windows, and what it says about their videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, ValidationError

from ah_ray.cohort.manifest import parse_video_id, resolve_uri
from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import Faults
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, SPLITS, WINDOWS
from ah_ray.study.participants import check_splits
from ah_ray.study.prepare.swift_export import OWN_KEY
from ah_ray.study.prepare.swift_import import SwiftLine
from ah_ray.validation import FrozenModel, first_problem

_ANYWHERE = "/"  # an export in a bucket may be of videos on disk; no file names a host, though


class _Strict(FrozenModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Segment(_Strict):
    start_s: float
    end_s: float


class _Cue(_Strict):
    cue: str
    text: str | None


class _Mark(_Strict):
    annotator: str | None
    start_s: float
    end_s: float
    certainty: str | None
    cues: list[_Cue] | None


class _Video(_Strict):
    label: Literal[0, 1] | None
    duration_s: float = Field(gt=0)
    segments: list[_Segment]
    # What follows is not in exports of earlier versions.
    content: str | None = None
    selection: str | None = None
    weight: float | None = Field(None, gt=0)
    annotators: list[str] | None = None
    certainty: str | None = None
    cues: list[str] | None = None
    marks: list[_Mark] | None = None


class _Window(_Strict):
    uri: str
    video_id: str
    window_index: int = Field(ge=0, lt=2**31)
    start_s: float
    end_s: float
    question: str | None
    participant_id: str
    split: str
    weight: float = Field(ge=0)
    video: _Video


def is_ours(lines: Sequence[SwiftLine]) -> bool:
    return any(line.own is not None for line in lines)


def read_back(lines: Sequence[SwiftLine], faults: Faults) -> tuple[pa.Table, pa.Table]:
    """Return WINDOWS and LABELLED_VIDEOS, without what was not exported.

    These are videos without a window, demographics and transcripts.
    """
    windows: dict[tuple[str, int], dict[str, Any]] = {}
    videos: dict[str, dict[str, Any]] = {}
    known = []
    for line in lines:
        window = _checked(line, faults)
        if window is None:
            continue
        key = (window.video_id, window.window_index)
        if key in windows:
            faults.add(
                line.place, f"window {key[1]} of {key[0]} again", "keep one", video=str(line.place)
            )
            continue
        known.append((window.participant_id, window.split, line.place))
        fields = window.model_dump(exclude={"video"})
        windows[key] = {**fields, "label": line.label}
        shared = {name: fields[name] for name in ("uri", "video_id", "participant_id", "split")}
        video = {**shared, **window.video.model_dump()}
        if videos.setdefault(window.video_id, video) != video:
            problem = f"it tells of {window.video_id} what a line before does not"
            faults.add(line.place, problem, "export it again", video=str(line.place))
    check_splits(known, faults)
    return (
        pa.Table.from_pylist([windows[key] for key in sorted(windows)], WINDOWS),
        pa.Table.from_pylist([videos[key] for key in sorted(videos)], LABELLED_VIDEOS),
    )


def _checked(line: SwiftLine, faults: Faults) -> _Window | None:
    problem = "" if line.own else "is missing"
    try:
        window = _Window(**line.own or {})
        parse_video_id(window.video_id)
        if resolve_uri(window.uri, _ANYWHERE) != window.uri:
            problem = f"uri: {window.uri!r} is not whole"
        if window.split not in SPLITS:
            problem = f"split: {window.split!r} is none of {', '.join(SPLITS)}"
        elif not 0 <= window.start_s < window.end_s:
            problem = f"{window.start_s:g} – {window.end_s:g} s is no interval"
    except ValidationError as error:
        problem = problem or first_problem(error)
    except ConfigError as error:
        problem = str(error)
    if problem:
        remedy = "export it again"
        faults.add(line.place, f"`{OWN_KEY}`: {problem}", remedy, video=str(line.place))
        return None
    return window
