"""Collects what is exported from an output and a labelled manifest, under pseudonyms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.cohort.participant_names import pseudonym
from ah_ray.config.containers import VIDEO_ENDINGS
from ah_ray.errors import ConfigError
from ah_ray.installation import ah_ray_version
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.study.exchange.recording import (
    AnnotatorLabels,
    AskedQuestion,
    ExportedClip,
    ExportedCohort,
    GivenAnswer,
    Recording,
)
from ah_ray.study.exchange.settings import ExportSettings
from ah_ray.study.labelled_manifest import (
    REVIEW,
    read_about,
    read_labelled_answers,
    read_labelled_videos,
)
from ah_ray.study.report.finite import replace_not_finite
from ah_ray.study.report.people import Person, participant_name, read_people
from ah_ray.study.report.videos import calibrate_clips

Row = dict[str, Any]
_CLIP_COLUMNS = (
    *("video_id", "start_s", "end_s", "p_ah", "answer", "answers", "contrasts", "error_kind"),
)
_ENDING = ".mp4"  # of a media file whose own ending is not known


def gather(settings: ExportSettings, id_key: bytes | None) -> ExportedCohort:
    """Return all recordings of an output. Raise ConfigError if it, or the labels, are wrong."""
    out = storage.normalise(settings.scores)
    config = require_config(out)
    if settings.link_videos and config.hide_uris:
        raise ConfigError(
            f"--link-videos: {settings.scores} was written with --hide-uris, so it does not tell "
            "where its videos are"
        )
    verdicts = replace_not_finite(read_verdicts(out))
    if not len(verdicts):
        raise ConfigError(f"{settings.scores} holds no video: there is nothing to export")
    clips = replace_not_finite(read_clips(out, list(_CLIP_COLUMNS)))
    clips = calibrate_clips(clips, config.reduction)
    labels, about = _read_labels(settings.labels)
    given = _read_given(settings.labels)
    if settings.labels and not labels.keys() & set(verdicts["video_id"].to_pylist()):
        raise ConfigError(
            f"--labels {settings.labels} has none of the videos of {settings.scores}: their ids "
            "differ; give prepare.py the --videos and --id-key of score.py"
        )
    people = _name_people(verdicts, settings, labels, about, id_key)
    questions, contrasts = _list_questions(config)
    timelines = {
        video_id: tuple(_clip(row, questions) for row in rows)
        for video_id, rows in groupby(clips.to_pylist(), itemgetter("video_id"))
    }
    return ExportedCohort(
        recordings=tuple(
            _recording(
                row,
                timelines.get(row["video_id"], ()),
                people.get(row["video_id"]),
                _labels_of(labels.get(row["video_id"]), was_reviewed=REVIEW in about),
                given.get(row["video_id"], ()),
                links=settings.link_videos,
            )
            for row in verdicts.to_pylist()
        ),
        construct=config.construct_name,
        questions=questions,
        contrasts=contrasts,
        labelled_questions=_labelled_questions(given, questions),
        model=", ".join(_names(verdicts["model"])),
        made_by=f"ah_ray {ah_ray_version()}",
        scored_at=pc.max(verdicts["scored_at"]).as_py(),
    )


def _names(models: pa.ChunkedArray) -> list[str]:
    return sorted({PurePosixPath(model).name for model in models.unique().to_pylist()})


def _read_labels(place: str | None) -> tuple[dict[str, Row], Row]:
    """Return rows of LABELLED_VIDEOS by video_id, and their description; both empty without."""
    if place is None:
        return {}, {}
    table = read_labelled_videos(place)
    return {row["video_id"]: row for row in table.to_pylist()}, read_about(place)


def _read_given(place: str | None) -> dict[str, tuple[GivenAnswer, ...]]:
    """Return people's answers to further questions by video_id; none without labels."""
    if place is None:
        return {}
    rows = read_labelled_answers(place).to_pylist()  # sorted by video_id
    return {
        video_id: tuple(
            GivenAnswer(**{name: row[name] for name in ("question", "answer", "start_s", "end_s")})
            for row in some
        )
        for video_id, some in groupby(rows, itemgetter("video_id"))
    }


def _labelled_questions(
    given: Mapping[str, tuple[GivenAnswer, ...]], asked: Iterable[AskedQuestion]
) -> tuple[AskedQuestion, ...]:
    """Return the questions that people answered; their answers are also those of the profile."""
    answers: dict[str, dict[str, None]] = {}
    known = {one.name: one.answers for one in asked}
    for one in (one for some in given.values() for one in some):
        listed = answers.setdefault(one.question, dict.fromkeys(known.get(one.question, ())))
        listed[one.answer] = None
    return tuple(
        AskedQuestion(name=name, answers=tuple(listed)) for name, listed in sorted(answers.items())
    )


def _list_questions(config: OutputConfig) -> tuple[tuple[AskedQuestion, ...], tuple[str, ...]]:
    questions: dict[str, AskedQuestion] = {}
    contrasts: dict[str, None] = {}
    for profile in config.profiles:
        for one in profile.complete_questions[1:]:
            questions.setdefault(one.name, AskedQuestion(name=one.name, answers=one.answers))
        contrasts |= dict.fromkeys(one.name for one in profile.contrasts)
    return tuple(questions.values()), tuple(contrasts)


def _clip(row: Row, questions: Iterable[AskedQuestion]) -> ExportedClip:
    p_of = {(one["question"], one["answer"]): one["p"] for one in row["answers"] or ()}
    further: dict[str, tuple[str, float]] = {}
    for question in questions:
        known = [
            (p, answer)
            for answer in question.answers
            if (p := p_of.get((question.name, answer))) is not None
        ]
        if known:
            p, answer = max(known, key=itemgetter(0))
            further[question.name] = (answer, p)
    return ExportedClip(
        start_s=row["start_s"],
        end_s=row["end_s"],
        p=row["p_ah"],
        answer=row["answer"],
        further=further,
        contrasts={
            one["contrast"]: one["distance"]
            for one in row["contrasts"] or ()
            if one["distance"] is not None
        },
        error_kind=row["error_kind"],
    )


def _name_people(
    verdicts: pa.Table,
    settings: ExportSettings,
    labels: Mapping[str, Row],
    about: Row,
    id_key: bytes | None,
) -> dict[str, Person]:
    """Return whose video each is, as the files show it.

    A labelled manifest's participants are pseudonyms already. With --id-key others get the
    pseudonyms that prepare.py gives them; without, those of a report.
    """
    known = read_people(verdicts, settings.participants, labels)
    if settings.plain_participants:
        return known
    hidden = labels if about.get("pseudonyms") else {}
    return {
        video_id: Person(
            participant=hidden[video_id]["participant_id"]
            if video_id in hidden
            else _hide(person.participant, id_key)
        )
        for video_id, person in known.items()
    }


def _hide(name: str, id_key: bytes | None) -> str:
    if id_key is not None:
        return pseudonym(name, id_key)
    return participant_name([name], plain=False, id_key=None)


def _labels_of(row: Row | None, *, was_reviewed: bool) -> tuple[AnnotatorLabels, ...]:
    """Return what all agreed on, and then what each annotator said, as far as that is known."""
    if row is None:
        return ()
    spans = tuple((one["start_s"], one["end_s"]) for one in row["segments"] or ())
    agreed = AnnotatorLabels(annotator=None, label=row["label"], marks=spans)
    marks: dict[str, list[tuple[float, float]]] = {
        name: [] for name in row["annotators"] or () if name is not None
    }
    for mark in row["marks"] or ():
        if mark["annotator"] is not None:
            marks.setdefault(mark["annotator"], []).append((mark["start_s"], mark["end_s"]))
    # Who marked nothing said No, unless nobody was asked where, or only some clips were judged.
    may_say_no = not was_reviewed and (row["label"] == 0 or any(marks.values()))
    return (
        agreed,
        *(
            AnnotatorLabels(
                annotator=name,
                label=1 if own else 0 if may_say_no else None,
                marks=tuple(sorted(own)),
            )
            for name, own in sorted(marks.items())
        ),
    )


def _recording(
    row: Row,
    clips: tuple[ExportedClip, ...],
    person: Person | None,
    labels: tuple[AnnotatorLabels, ...],
    given: tuple[GivenAnswer, ...],
    *,
    links: bool,
) -> Recording:
    return Recording(
        name=row["video_id"],
        media=row["uri"] if links else row["video_id"] + _ending(row["uri"]),
        is_linked=links,
        participant=None if person is None else person.participant,
        visit=None if person is None else person.visit,
        duration_s=row["duration_s"],
        fps=row["fps"],
        status=row["status"],
        error_kind=row["error_kind"],
        p=row["p_ah"],
        answer=row["answer"],
        clips=clips,
        labels=labels,
        given=given,
    )


def _ending(uri: str | None) -> str:
    """Return the ending of a recording's name, if it is one that recordings have."""
    ending = PurePosixPath(uri or "").suffix.lower()
    return ending if ending in VIDEO_ENDINGS else _ENDING
