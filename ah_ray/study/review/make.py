"""A review: the surest moments of an output cut out of their videos, for a person who judges them.

TO/index.html   plays the clips and takes answers; needs no network
TO/sheet.csv    the same as a table, to be filled in by hand
TO/clips/…      one mp4 a moment, called after its video's id and its start

Nothing in TO tells a video's name or place, and nothing what the model said unless that is asked
for. The order is drawn, so that it tells nothing either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from ah_ray import storage
from ah_ray.config import Limits
from ah_ray.errors import (
    ConfigError,
    ErrorKind,
    Interrupted,
    ObjectChanged,
    StorageError,
    VideoError,
)
from ah_ray.media.on_disk import on_disk
from ah_ray.media.stream_copy import Source, Way
from ah_ray.study.parallel import in_threads, progress
from ah_ray.study.replaceable import check_replaceable, made_by
from ah_ray.study.review.located import located
from ah_ray.study.review.moments import Moment, surest_moments
from ah_ray.study.review.page import GENERATOR, PAGE_FILE, review_page
from ah_ray.study.review.settings import CutSettings
from ah_ray.study.review.sheet import SHEET_FILE, check_sheet_replaceable, row_of, write_sheet

CLIPS_FOLDER = "clips"
_THREADS = 4  # each may be an encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A moment, the file that shows it, and how that came about."""

    moment: Moment
    clip: str  # relative to the folder of the review
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A moment that could not be cut, and why."""

    moment: Moment
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was made. Each moment is in one of the two."""

    folder: str
    cut: tuple[Cut, ...]
    skipped: tuple[Skipped, ...]


def make_review(settings: CutSettings, console: Console) -> Review:
    """Cuts the moments, then writes the sheet and the page; each file whole or not at all.

    A video that is not there, is no longer what was scored, or cannot be decoded is skipped. Each
    is fetched once. Raises ConfigError, and StorageError for what is no fault of a video.
    """
    folder = storage.normalise(settings.to)
    moments = _moments(settings)
    page = storage.join(folder, PAGE_FILE)
    check_replaceable("--to", page, made_by(GENERATOR), kind="page of clips.py", out=settings.out)
    check_sheet_replaceable(storage.join(folder, SHEET_FILE), map(clip_name, moments))
    storage.check_writable(folder)
    by_video: dict[str, list[Moment]] = {}
    for moment in located(moments, settings.videos, settings.id_key):
        by_video.setdefault(moment.video.video_id, []).append(moment)
    found: list[Cut | Skipped] = []
    with progress("cutting videos", len(by_video), console) as advance:
        for of_video in in_threads(_THREADS, lambda m: _cut(m, folder), by_video.values()):
            advance()
            found += of_video
    found.sort(key=lambda one: _drawn(one.moment))
    cut = tuple(one for one in found if isinstance(one, Cut))
    if cut:
        rows = [row_of(one.moment, one.clip, show_score=settings.show_scores) for one in cut]
        write_sheet(storage.join(folder, SHEET_FILE), rows)
        storage.write_whole(page, review_page(rows).encode())
    return Review(
        folder=folder, cut=cut, skipped=tuple(one for one in found if isinstance(one, Skipped))
    )


def clip_name(moment: Moment) -> str:
    """Such as `clips/3f9c0e2a11d04b77-0005.000s.mp4`: whose video and from when on."""
    return f"{CLIPS_FOLDER}/{moment.video.video_id}-{moment.start_s:08.3f}s.mp4"


def _moments(settings: CutSettings) -> list[Moment]:
    """Those of all wanted kinds, each once."""
    found = {
        (moment.video.video_id, moment.clip_index): moment
        for surest in settings.surest
        for moment in surest_moments(settings.out, top=settings.top, surest=surest)
    }
    if not found:
        kinds = " or ".join(settings.surest)
        raise ConfigError(f"{settings.out} has no clip for --surest {kinds}: ask for another")
    return list(found.values())


def _drawn(moment: Moment) -> str:
    name = f"{moment.video.video_id} {moment.clip_index}"
    return hashlib.sha256(name.encode()).hexdigest()


def _cut(moments: Sequence[Moment], folder: str) -> list[Cut | Skipped]:
    """Those of one video, which is opened once; nothing is kept of one that changes meanwhile."""
    video = moments[0].video
    try:
        if video.problem_kind is not None:  # found while listing
            raise VideoError(video.problem_kind, video.problem or "")
        with TemporaryDirectory(prefix="ah_ray-") as own:
            with on_disk(video, Limits()) as path:
                source = Source(path, Limits())
                found = [_cut_one(source, moment, Path(own)) for moment in moments]
            for one in found:
                if isinstance(one, Cut):
                    storage.write_file(storage.join(folder, one.clip), Path(own) / one.clip)
            return found
    except VideoError as error:
        reason = _told(error)
    except ObjectChanged:
        reason = "the video is no longer what was scored; score it again first"
    except Interrupted as error:
        raise StorageError(f"{video.video_id}: {error}") from None
    return [Skipped(moment=moment, reason=reason) for moment in moments]


def _cut_one(source: Source, moment: Moment, own: Path) -> Cut | Skipped:
    clip = clip_name(moment)
    mp4 = own / clip
    mp4.parent.mkdir(exist_ok=True)
    try:
        way = source.cut(start_s=moment.start_s, end_s=moment.end_s, mp4=mp4)
    except VideoError as error:  # the others of this video may be sound
        return Skipped(moment=moment, reason=_told(error))
    return Cut(moment=moment, clip=clip, way=way)


def _told(error: VideoError) -> str:
    if error.kind is ErrorKind.MISSING:
        return "the video is no longer where it was scored; bring it back"
    return f"{error}; {error.kind.mend}"
