"""From labels to a labelled manifest, step by step.

    read the source ─▶ lengths of its videos ─▶ splits ─▶ windows ─▶ balance ─▶ write

Every fault in the labels, and in the videos whose labels are valid, is reported together; if there
is any, nothing is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from ah_ray import storage
from ah_ray.cohort.id_key import read_id_key
from ah_ray.cohort.participant_names import normal_form, pseudonym
from ah_ray.errors import ConfigError
from ah_ray.installation import ah_ray_version
from ah_ray.study.label_errors import Fault, Faults, FaultyInput
from ah_ray.study.labelled_manifest import (
    ANSWERS,
    LABELLED_VIDEOS,
    VIDEOS_FILE,
    WINDOWS,
    fingerprint,
    write_labels,
)
from ah_ray.study.labelled_video import LabelledVideo
from ah_ray.study.participants import draw_splits
from ah_ray.study.prepare import swift_back, swift_export, swift_import
from ah_ray.study.prepare.annotated.read_annotated import read_annotated
from ah_ray.study.prepare.annotation_columns import annotation_columns, annotator_agreement
from ah_ray.study.prepare.bah.cue_answers import add_cue_answers
from ah_ray.study.prepare.bah.dataset import read_bah
from ah_ray.study.prepare.balance import WindowRow, balanced
from ah_ray.study.prepare.cutting import end_of, segments, windows_of
from ah_ray.study.prepare.durations import durations_of
from ah_ray.study.prepare.labelled_table import read_table
from ah_ray.study.prepare.prepared import describe, left_out_texts
from ah_ray.study.prepare.settings import SWIFT_VERSION, LeftOut, PrepareSettings
from ah_ray.study.pseudonym_rule import NO_PSEUDONYMS

FAULTY = "faulty videos"
_Timed = Sequence[tuple[LabelledVideo, float]]
_Read = Callable[[PrepareSettings, bytes | None, Faults, LeftOut], list[LabelledVideo]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The labelled manifest that was written."""

    out: str
    windows: pa.Table
    videos: pa.Table
    answers: pa.Table
    about: dict[str, Any]  # prepared.json
    skipped: tuple[Fault, ...] = ()  # with --skip-faulty: why which videos were left out

    @property
    def manifest(self) -> str | None:
        """Return what score.py takes as --videos to score these videos under the same ids."""
        is_here = storage.scheme(self.out) == "file"
        if is_here or not any(storage.scheme(u) == "file" for u in self.videos["uri"].to_pylist()):
            return storage.join(self.out, VIDEOS_FILE)
        return None  # it does not let a manifest in a bucket name files of its machine


def prepare(settings: PrepareSettings, console: Console) -> Prepared:
    """Read labels and write the labelled manifest, and the export if one is asked for.

    Raise FaultyInput with all mistakes in the source, ConfigError for other mistakes, StorageError.
    """
    out = storage.normalise(settings.out)
    id_key = read_id_key(settings.id_key)
    for place in _places(out, settings):
        storage.check_writable(place)
    faults = Faults()
    left_out: LeftOut = defaultdict(float)
    source = _read(settings, id_key, console, faults, left_out)
    faults.raise_any(skip_faulty=settings.skip_faulty)
    left_out[FAULTY] = len(faults.videos)
    was_made_before = isinstance(source, tuple)
    if not len(source[1] if was_made_before else source):
        why = ", ".join(left_out_texts(left_out))
        raise FaultyInput(f"no video is left, nothing was written: {why}", faults.sorted())
    windows, videos, answers = (
        (*source, ANSWERS.empty_table())
        if was_made_before
        else _tables(source, settings, id_key, left_out)
    )
    clips: dict[swift_export.Key, swift_export.Files] = {}
    exported: dict[str, Any] = {}
    asking = windows.filter(pc.is_valid(windows["label"]))
    if settings.cut_clips:
        clips = swift_export.cut_clips(asking, settings.cut_clips, console)
    if settings.export_swift:
        about_export = swift_export.about_export(settings.swift_version or SWIFT_VERSION, answers)
        swift_export.export(asking, videos, settings.export_swift, clips, about_export)
        exported = {"export": about_export}
    about = {
        "ah_ray_version": ah_ray_version(),
        "data_fingerprint": fingerprint(windows, videos, answers),
        **describe(windows, videos, left_out, answers),
        **exported,
        "annotators": annotator_agreement(source) if isinstance(source, list) else None,
        "ids_of": _ids_of(settings),
        "pseudonyms": not settings.plain_participants,
        "settings": settings.model_dump(mode="json", exclude={"out", "id_key"}),
    }
    write_labels(out, windows, videos, about, answers=answers)
    return Prepared(
        out=out,
        windows=windows,
        videos=videos,
        answers=answers,
        about=about,
        skipped=tuple(faults.sorted()),
    )


def _places(out: str, settings: PrepareSettings) -> list[str]:
    """Return the folders that are written, to be tested before hours of reading."""
    places = [out]
    if settings.export_swift:
        places.append(storage.parent(storage.normalise(settings.export_swift)))
    if settings.cut_clips:
        places.append(storage.normalise(settings.cut_clips))
    return places


def _ids_of(settings: PrepareSettings) -> str | None:
    """Return the folder over which a scoring run gives videos the same ids; None if unknown."""
    source = settings.videos or settings.bah
    return source and storage.normalise(source)


def _read(
    settings: PrepareSettings,
    id_key: bytes | None,
    console: Console,
    faults: Faults,
    left_out: LeftOut,
) -> list[tuple[LabelledVideo, float]] | tuple[pa.Table, pa.Table]:
    """Return videos with their durations; or both tables, if an export of ours is read back."""
    if settings.import_swift:
        lines = swift_import.read_swift(settings.import_swift, faults)
        if swift_back.is_ours(lines):
            if rules := settings.rules_given():
                raise ConfigError(
                    f"{settings.import_swift} is an export of ours, which is read back as it was: "
                    f"leave out {', '.join(rules)}"
                )
            return swift_back.read_back(lines, faults)
        if not (id_key or settings.plain_participants):
            raise ConfigError(f"this JSONL says who is in the videos, and {NO_PSEUDONYMS}")
        videos = swift_import.as_videos(lines, settings, id_key, faults)
    else:
        videos = _reader(settings)(settings, id_key, faults, left_out)
    return durations_of(videos, console, faults, settings.slack_s)


def _reader(settings: PrepareSettings) -> _Read:
    if settings.bah:
        return read_bah
    return read_table if settings.table else read_annotated


def _tables(
    timed: _Timed, settings: PrepareSettings, id_key: bytes | None, left_out: LeftOut
) -> tuple[pa.Table, pa.Table, pa.Table]:
    timed = sorted(_split(_name_people(timed), settings), key=lambda one: one[0].video_id)
    if settings.cues:
        timed = [(add_cue_answers(video, seconds, settings), seconds) for video, seconds in timed]
    rows = [
        row for video, seconds in timed for row in _rows(video, seconds, settings, id_key, left_out)
    ]
    rows = balanced(rows, settings.balance, settings.seed, left_out)
    videos = [_video_row(video, seconds, id_key) for video, seconds in timed]
    answers = [row for video, seconds in timed for row in _answer_rows(video, seconds, id_key)]
    return (
        pa.Table.from_pylist([asdict(row) for row in rows], WINDOWS),
        pa.Table.from_pylist(videos, LABELLED_VIDEOS),
        pa.Table.from_pylist(answers, ANSWERS),
    )


def _name_people(timed: _Timed) -> list[tuple[LabelledVideo, float]]:
    """Return the videos with one name for each participant: the spelling that came first."""
    first: dict[str, str] = {}
    for video, _ in timed:
        first.setdefault(normal_form(video.participant), video.participant)
    return [
        (replace(video, participant=first[normal_form(video.participant)]), seconds)
        for video, seconds in timed
    ]


def _split(timed: _Timed, settings: PrepareSettings) -> list[tuple[LabelledVideo, float]]:
    """Return every video with a split: its source's own, or one drawn for its participant."""
    if all(video.split for video, _ in timed):
        return list(timed)
    drawn = draw_splits((v.participant for v, _ in timed), settings.shares, settings.seed)
    return [(replace(video, split=drawn[video.participant]), s) for video, s in timed]


def _rows(
    video: LabelledVideo,
    duration_s: float,
    settings: PrepareSettings,
    id_key: bytes | None,
    left_out: LeftOut,
) -> list[WindowRow]:
    return [
        WindowRow(
            uri=video.uri,
            video_id=video.video_id,
            window_index=index,
            participant_id=pseudonym(video.participant, id_key),
            split=video.split or "",
            **asdict(window),
        )
        for index, window in enumerate(windows_of(video, duration_s, settings, left_out))
    ]


def _answer_rows(
    video: LabelledVideo, duration_s: float, id_key: bytes | None
) -> list[dict[str, Any]]:
    """Return the labels of a profile's questions for one video, sorted by start and question."""
    rows = [
        {
            "video_id": video.video_id,
            "start_s": None if one.is_whole else one.start_s,
            "end_s": None if one.end_s is None else end_of(one, duration_s),
            "question": one.question,
            "answer": one.answer,
            "weight": one.weight,
            "participant_id": pseudonym(video.participant, id_key),
            "split": video.split,
        }
        for one in video.answers
    ]
    return sorted(
        rows, key=lambda row: (-1.0 if row["start_s"] is None else row["start_s"], row["question"])
    )


def _video_row(video: LabelledVideo, duration_s: float, id_key: bytes | None) -> dict[str, Any]:
    return {
        "uri": video.uri,
        "video_id": video.video_id,
        "label": video.label,
        "duration_s": duration_s,
        "participant_id": pseudonym(video.participant, id_key),
        "split": video.split,
        "segments": [
            {"start_s": start_s, "end_s": end_s}
            for start_s, end_s in segments(video.marked, duration_s)
        ],
        **asdict(video.person),
        "language": video.language,
        "content": video.content,
        **annotation_columns(video, id_key),
    }
