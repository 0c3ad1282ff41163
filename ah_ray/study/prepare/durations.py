"""How long the videos really are: each is opened by ffmpeg once, and nothing is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from ah_ray import storage
from ah_ray.cohort.listing import video_of
from ah_ray.config import Limits
from ah_ray.errors import (
    ErrorKind,
    Interrupted,
    ObjectDenied,
    ObjectMissing,
    StorageError,
    VideoError,
)
from ah_ray.media.on_disk import on_disk
from ah_ray.media.probe import probe
from ah_ray.media.refuse import check_file
from ah_ray.study.faults import Faults
from ah_ray.study.labelled import LabelledVideo
from ah_ray.study.parallel import in_threads, progress

THREADS = 8


def durations_of(
    videos: Sequence[LabelledVideo], console: Console, faults: Faults, slack_s: float
) -> list[tuple[LabelledVideo, float]]:
    """Each video that can be decoded and holds its marks, with its seconds, in order.

    A mark may end up to `slack_s` after the video does: annotators' clocks are coarse. Raises
    StorageError for what is no fault of a video.
    """
    found = []
    for video, seconds in zip(videos, _all(videos, console), strict=True):
        if isinstance(seconds, VideoError):
            problem = f"{video.uri} cannot be used: {seconds}"
            faults.add(video.place, problem, seconds.kind.mend, video=video.uri)
        elif _holds_its_marks(video, seconds, faults, slack_s):
            found.append((video, seconds))
    return found


def _all(videos: Sequence[LabelledVideo], console: Console) -> Iterator[float | VideoError]:
    with progress("reading lengths", len(videos), console) as advance:
        for seconds in in_threads(THREADS, _seconds, [video.uri for video in videos]):
            advance()
            yield seconds


def _seconds(uri: str) -> float | VideoError:
    limits = Limits()
    try:
        with opened(uri, limits) as path:
            deadline = time.monotonic() + limits.timeout_for(check_file(path, limits))
            duration_s = probe(path, limits=limits, deadline=deadline).duration_s
            if duration_s <= 0:
                return VideoError(ErrorKind.NO_VIDEO, "this is a single picture, not a video")
            return duration_s
    except VideoError as error:
        return error


@contextmanager
def opened(uri: str, limits: Limits) -> Iterator[Path]:
    """Where ffmpeg can open it: in place, or in a copy that goes when it was used.

    Raises VideoError, and StorageError for what is no fault of the video.
    """
    try:
        video = video_of(storage.stat(uri), video_id="")
    except ObjectMissing:
        raise VideoError(ErrorKind.MISSING, "it is not there") from None
    except ObjectDenied as error:
        raise VideoError(ErrorKind.DENIED, str(error)) from None
    try:
        with on_disk(video, limits) as path:
            yield path
    except Interrupted as error:
        raise StorageError(f"{uri}: {error}") from None


def _holds_its_marks(
    video: LabelledVideo, duration_s: float, faults: Faults, slack_s: float
) -> bool:
    is_well = True
    for one in video.marked:
        end_s = one.start_s if one.end_s is None else one.end_s
        if end_s > duration_s + slack_s or one.start_s >= duration_s:
            shown = f"{one.start_s:g} – {end_s:g} s"
            faults.add(
                one.place,
                f"the interval {shown} is outside the video, which has {duration_s:.2f} s",
                "mend the interval, or check that the video is whole",
                video=video.uri,
            )
            is_well = False
    return is_well
