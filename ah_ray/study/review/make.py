"""A review: moments or whole videos of an output, cut out for a person who judges them.

TO/index.html   plays the clips and takes answers; needs no network
TO/sheet.csv    the same as a table, to be filled in by hand
TO/clips/…      one mp4 for each moment or video, named after the video's id and its start

Nothing in TO has a video's name or location, and nothing says what the model answered unless that
was asked for. The clips are in random order, so the order says nothing either.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO

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
from ah_ray.media.ffmpeg.stream_copy import Source, Way
from ah_ray.media.local_video import open_video
from ah_ray.study.labelled_manifest import MOMENTS
from ah_ray.study.parallel import in_threads, progress
from ah_ray.study.replaceable import check_replaceable, made_by
from ah_ray.study.review.candidates import draw_moments
from ah_ray.study.review.choosing.choose import Choice, Wish, choose_clips
from ah_ray.study.review.draw_record import DrawRecord, record_draw
from ah_ray.study.review.located import located
from ah_ray.study.review.moments import Moment, contrasting_moments, surest_moments
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
class Chosen:
    """The moments of a review: chosen by their scores, or drawn at random."""

    moments: Sequence[Moment]
    selection: dict[tuple[str, int | None], str]  # what the sheet says of each, by `_key`
    draw: DrawRecord | None = None
    choice: Choice | None = None


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
    draw: DrawRecord | None = None
    choice: Choice | None = None  # what was chosen for a training, and from what


def make_review(settings: CutSettings, console: Console) -> Review:
    """Cut the moments, then write the sheet and the page; each file whole or not at all.

    A video that is missing, has changed since it was scored, or cannot be decoded is skipped. Each
    is fetched once. Raise ConfigError; raise StorageError for what is not a video's fault.
    """
    folder = storage.normalise(settings.to)
    chosen = _choose_moments(settings)
    moments = chosen.moments
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
    found.sort(key=lambda one: _random_order(one.moment))
    cut = tuple(one for one in found if isinstance(one, Cut))
    if cut:
        rows = [
            row_of(
                one.moment,
                one.clip,
                selection=chosen.selection[_key(one.moment)],
                show_score=settings.show_scores,
            )
            for one in cut
        ]
        write_sheet(storage.join(folder, SHEET_FILE), rows)
        storage.write_whole(page, review_page(rows).encode())
    return Review(
        folder=folder,
        cut=cut,
        skipped=tuple(one for one in found if isinstance(one, Skipped)),
        draw=chosen.draw,
        choice=chosen.choice,
    )


def clip_name(moment: Moment) -> str:
    """Return `clips/3f9c0e2a11d04b77-0005.000s.mp4`, or `…-whole.mp4` for a whole video."""
    if moment.clip_index is None:
        return f"{CLIPS_FOLDER}/{moment.video.video_id}-whole.mp4"
    return f"{CLIPS_FOLDER}/{moment.video.video_id}-{moment.start_s:08.3f}s.mp4"


def _choose_moments(settings: CutSettings) -> Chosen:
    if settings.chooses:
        wish = Wish(**{name: getattr(settings, name) for name in Wish.__slots__})
        choice = choose_clips(settings.out, wish)
        selection = dict.fromkeys(map(_key, choice.moments), MOMENTS)
        return Chosen(moments=choice.moments, selection=selection, choice=choice)
    if settings.draw is None:
        moments = _moments(settings)
        return Chosen(moments=moments, selection=dict.fromkeys(map(_key, moments), MOMENTS))
    unit, strata, seed = settings.unit, settings.strata, settings.seed
    drawn = draw_moments(settings.out, n=settings.draw, unit=unit, strata=strata, seed=seed)
    record, marks = record_draw(settings.out, drawn, unit=unit, strata=strata, seed=seed)
    return Chosen(
        moments=[moment for moment, _ in marks],
        selection={_key(moment): mark for moment, mark in marks},
        draw=record,
    )


def _moments(settings: CutSettings) -> list[Moment]:
    """Return the moments of all wanted kinds, each once."""
    found = {
        _key(moment): moment
        for surest in settings.kinds
        for moment in surest_moments(settings.out, top=settings.top, surest=surest)
    }
    for contrast in settings.contrast:
        for moment in contrasting_moments(settings.out, contrast, top=settings.top):
            found.setdefault(_key(moment), moment)
    if not found and not settings.kinds:
        raise ConfigError(f"{settings.out} has no clip with answers to compare")
    if not found:
        kinds = " or ".join(settings.kinds)
        raise ConfigError(f"{settings.out} has no clip for --surest {kinds}: give another kind")
    return list(found.values())


def _key(moment: Moment) -> tuple[str, int | None]:
    return moment.video.video_id, moment.clip_index


def _random_order(moment: Moment) -> str:
    name = f"{moment.video.video_id} {moment.clip_index}"
    return hashlib.sha256(name.encode()).hexdigest()


def _cut(moments: Sequence[Moment], folder: str) -> list[Cut | Skipped]:
    """Cut the moments of one video, which is opened once.

    Nothing is kept of a video that changes meanwhile.
    """
    video = moments[0].video
    try:
        if video.problem_kind is not None:  # found while listing
            raise VideoError(video.problem_kind, video.problem or "")
        # Clips of people have no name on this machine's disk, and are delivered once all are cut.
        with TemporaryFile() as clip, TemporaryFile() as clips:
            found: list[Cut | Skipped] = []
            sizes_bytes = []
            with open_video(video, Limits()) as recording:
                source = Source(recording, Limits())
                for moment in moments:
                    found.append(_cut_one(source, moment, clip))
                    sizes_bytes.append(clip.seek(0, os.SEEK_END))
                    clip.seek(0)
                    shutil.copyfileobj(clip, clips)
            clips.seek(0)
            for one, size_bytes in zip(found, sizes_bytes, strict=True):
                content = clips.read(size_bytes)
                if isinstance(one, Cut):
                    storage.write_whole(storage.join(folder, one.clip), content)
            return found
    except VideoError as error:
        reason = _reason(error)
    except ObjectChanged:
        reason = "the video is no longer what was scored; score it again first"
    except Interrupted as error:
        raise StorageError(f"{video.video_id}: {error}") from None
    return [Skipped(moment=moment, reason=reason) for moment in moments]


def _cut_one(source: Source, moment: Moment, mp4: BinaryIO) -> Cut | Skipped:
    try:
        way = source.cut(start_s=moment.start_s, end_s=moment.end_s, mp4=mp4)
    except VideoError as error:  # the others of this video may be sound
        return Skipped(moment=moment, reason=_reason(error))
    return Cut(moment=moment, clip=clip_name(moment), way=way)


def _reason(error: VideoError) -> str:
    if error.kind is ErrorKind.MISSING:
        return "the video is no longer where it was scored; bring it back"
    return f"{error}; {error.kind.remedy}"
