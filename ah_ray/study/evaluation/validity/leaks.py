"""Whether an output is judged on people that its model or its calibration knows.

Participants and contents of the videos that are reported are held against what config.json records,
and against the labels that --trained-on names. Known people are an error where the split is test,
whose figures are read as those of strangers; on any other split each output is marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ah_ray import storage
from ah_ray.cohort.participant_names import normal_form, pseudonym, show_spellings, spellings
from ah_ray.errors import ConfigError, StorageError
from ah_ray.provenance.learned_from import LearnedFrom, Use, learned_from
from ah_ray.study.labelled_manifest import PREPARED_FILE, SPLITS
from ah_ray.study.leak_records import record_split, record_training
from ah_ray.study.table_rows import read_rows
from ah_ray.units import format_count, format_names

HEADLINE = "test"
_VERBS = {
    Use.TRAINING: "was trained on",
    Use.CHECKPOINT: "was chosen on",
    Use.CALIBRATION: "was fitted to",
}
Video = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Videos that are reported, and that something learned from.

    `n_participants` of the reported participants are known, and `n_videos` of the reported videos
    are of them or have a known content.
    """

    use: str  # training, choice of the checkpoint, calibration
    by: str  # `model lora-3`, `calibration 0123456789abcdef`
    split: str | None  # of the labels that were learned from
    n_participants: int
    n_videos: int

    @property
    def sentence(self) -> str:
        """Return `calibration 0123… was fitted to 25 of these participants (…)`."""
        people = format_count(self.n_participants, "participant")
        videos = format_count(self.n_videos, "video")
        where = f", split {self.split}" if self.split else ""
        return f"{self.by} {_VERBS[Use(self.use)]} {people} reported here ({videos}{where})"


def find_leaks(records: Iterable[LearnedFrom], videos: Sequence[Video]) -> tuple[Leak, ...]:
    """Return what learned from the reported videos. `videos` are rows of LABELLED_VIDEOS."""
    found = []
    for record in dict.fromkeys(records):
        known = [video for video in videos if _knows(record, video)]
        if known:
            found.append(
                Leak(
                    use=record.use.value,
                    by=record.by,
                    split=record.split,
                    n_participants=len({normal_form(v["participant_id"]) for v in known}),
                    n_videos=len(known),
                )
            )
    return tuple(found)


def _knows(record: LearnedFrom, video: Video) -> bool:
    content = video.get("content")
    return record.has_participant(normal_form(video["participant_id"])) or (
        content is not None and record.has_content(content)
    )


def leak_notes(leaks: Sequence[Leak]) -> list[str]:
    """Return one loud note for each leak."""
    return [f"OF KNOWN PEOPLE: {leak.sentence}, so these figures are too good" for leak in leaks]


def check_headline(out: str, split: str, leaks: Sequence[Leak]) -> None:
    """Raise ConfigError if the figures would be read as those of strangers, and are not."""
    if split == HEADLINE and leaks:
        told = "; ".join(leak.sentence for leak in leaks)
        raise ConfigError(
            f"{out} cannot be judged on {HEADLINE}: {told}. Score with a model and a calibration "
            "that know nobody in it, or report another --split, whose figures are marked"
        )


def read_trained_on(place: str, id_key: bytes | None) -> tuple[LearnedFrom, ...]:
    """Return whose videos a model that was trained elsewhere knows.

    `place` is a labelled manifest, whose train and val count, or a CSV or Parquet table with a
    column `participant`. Raise ConfigError if it is neither.
    """
    uri, by = storage.normalise(place), "the model of --trained-on"
    try:
        if storage.exists(storage.join(uri, PREPARED_FILE)):
            return tuple(record_training(uri, by)) or _whole(uri, by)
        if not uri.lower().endswith((".csv", ".parquet")):
            raise ConfigError(
                f"--trained-on {place} is neither an output of jobs/prepare.py nor a table (CSV or "
                "Parquet with a column `participant`)"
            )
        names = [row["participant"] for _, row in read_rows(uri, ("participant",), ())]
    except StorageError as error:
        raise ConfigError(f"--trained-on {place} cannot be read: {error}") from None
    people = {normal_form(name) for name in names if name}
    if not people:
        raise ConfigError(f"--trained-on {place} names no participant")
    people |= {normal_form(pseudonym(name, id_key)) for name in people}
    fingerprint = hashlib.sha256("\0".join(sorted(people)).encode()).hexdigest()[:16]
    return (
        learned_from(
            Use.TRAINING, data_fingerprint=fingerprint, participants=people, contents=(), by=by
        ),
    )


def _whole(uri: str, by: str) -> tuple[LearnedFrom, ...]:
    """Return the records of labels that have neither train nor val: all of them were trained on."""
    records = (record_split(uri, split, Use.TRAINING, by) for split in SPLITS)
    return tuple(record for record in records if record is not None)


def check_strangers(
    reported: Sequence[Video], fitting: Sequence[Video], fit_on: str, split: str
) -> None:
    """Raise ConfigError if a participant, or a content, is reported and fitted to."""
    first = {normal_form(video["participant_id"]) for video in fitting}
    shared = [v["participant_id"] for v in reported if normal_form(v["participant_id"]) in first]
    if shared:
        both = spellings(
            name
            for video in (*reported, *fitting)
            if normal_form(name := video["participant_id"]) in set(map(normal_form, shared))
        )
        shown = format_names(sorted(show_spellings(names) for names in both.values()))
        raise ConfigError(
            f"{fit_on} and {split} share {format_count(len(both), 'participant')} ({shown}): "
            "what is "
            "fitted to them cannot be judged by them; prepare the labels again"
        )
    contents = {video.get("content"): video["video_id"] for video in fitting}
    contents.pop(None, None)
    same = [video for video in reported if video.get("content") in contents]
    if same:
        pair = f"{same[0]['video_id']} is {contents[same[0].get('content')]}"
        raise ConfigError(
            f"{fit_on} and {split} share {format_count(len(same), 'recording')} under two "
            "participants "
            f"({pair}): prepare the labels again"
        )
