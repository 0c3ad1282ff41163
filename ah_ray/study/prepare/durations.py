"""Durations and contents of videos: each file is opened once, and nothing of it is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from rich.console import Console

from ah_ray import storage
from ah_ray.cohort.listing import make_video
from ah_ray.config import Limits
from ah_ray.errors import (
    ErrorKind,
    Interrupted,
    ObjectDenied,
    ObjectMissing,
    StorageError,
    VideoError,
)
from ah_ray.media.file_check import check_file
from ah_ray.media.local_video import open_video
from ah_ray.media.probe import probe
from ah_ray.study.label_errors import Faults
from ah_ray.study.labelled_video import LabelledVideo, Marked, MarkedAnswer, MarkedInterval
from ah_ray.study.parallel import in_threads, progress
from ah_ray.study.prepare.content import check_contents, content_of

THREADS = 8


def durations_of(
    videos: Sequence[LabelledVideo], console: Console, faults: Faults, slack_s: float
) -> list[tuple[LabelledVideo, float]]:
    """Return each usable video, with its content, and its duration in seconds, in order.

    A video is usable if it can be decoded and contains its marks. A mark may end up to `slack_s`
    after the video does: annotators' clocks are coarse. The same bytes under two participants or
    with two labels are a fault. Raise StorageError for what is not a video's fault.
    """
    found = []
    for video, opened in zip(videos, _all(videos, console), strict=True):
        if isinstance(opened, VideoError):
            problem = f"{video.uri} cannot be used: {opened}"
            faults.add(video.place, problem, opened.kind.remedy, video=video.uri)
        else:
            known = replace(video, content=opened.content)
            if _contains_its_marks(known, opened.duration_s, faults, slack_s):
                found.append((known, opened.duration_s))
    check_contents([video for video, _ in found], faults)
    return [one for one in found if one[0].uri not in faults.videos]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What is known of a video's file once it was opened."""

    duration_s: float
    content: str


def _all(videos: Sequence[LabelledVideo], console: Console) -> Iterator[_Opened | VideoError]:
    with progress("reading durations", len(videos), console) as advance:
        for opened in in_threads(THREADS, _open, [video.uri for video in videos]):
            advance()
            yield opened


def _open(uri: str) -> _Opened | VideoError:
    limits = Limits()
    try:
        with opened(uri, limits) as file:
            deadline = time.monotonic() + limits.timeout_for(check_file(file, limits).size_bytes)
            duration_s = probe(file, limits=limits, deadline=deadline).duration_s
            if duration_s <= 0:
                return VideoError(ErrorKind.NO_VIDEO, "this is a single picture, not a video")
            return _Opened(duration_s=duration_s, content=content_of(file))
    except VideoError as error:
        return error


@contextmanager
def opened(uri: str, limits: Limits) -> Iterator[BinaryIO]:
    """Give a video as an open file: in place, or a copy without a name.

    Raise VideoError; raise StorageError for what is not the video's fault.
    """
    try:
        video = make_video(storage.stat(uri), video_id="")
    except ObjectMissing:
        raise VideoError(ErrorKind.MISSING, "it is not there") from None
    except ObjectDenied as error:
        raise VideoError(ErrorKind.DENIED, str(error)) from None
    try:
        with open_video(video, limits) as file:
            yield file
    except Interrupted as error:
        raise StorageError(f"{uri}: {error}") from None


def _contains_its_marks(
    video: LabelledVideo, duration_s: float, faults: Faults, slack_s: float
) -> bool:
    is_valid = True
    marks: list[Marked | MarkedAnswer | MarkedInterval] = [*video.marked, *video.answers]
    marks += [one for each in video.annotations for one in each.intervals if one.place]
    for one in marks:
        end_s = one.start_s if one.end_s is None else one.end_s
        if end_s > duration_s + slack_s or one.start_s >= duration_s:
            shown = f"{one.start_s:g} – {end_s:g} s"
            faults.add(
                one.place or video.place,
                f"the interval {shown} is outside the video, which has {duration_s:.2f} s",
                "correct the interval, or check that the video is whole",
                video=video.uri,
            )
            is_valid = False
    return is_valid
