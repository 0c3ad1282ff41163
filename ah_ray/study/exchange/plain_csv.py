"""Plain tables for spreadsheets and statistics programs: recordings, clips, answers, labels."""

from __future__ import annotations

from collections.abc import Iterator

from ah_ray.profile import YES, answer_word
from ah_ray.study.exchange.clean_text import Cell, write_csv
from ah_ray.study.exchange.recording import ExportedCohort

_RECORDINGS = (
    *("video_id", "recording", "participant", "visit", "duration_s", "status", "error_kind"),
    *("p", "answer", "label"),
)
_CLIPS = ("video_id", "clip", "start_s", "end_s", "p", "answer", "error_kind")
_ANSWERS = ("video_id", "clip", "start_s", "end_s", "question", "answer", "p")
_CONTRASTS = ("video_id", "clip", "start_s", "end_s", "contrast", "distance")
_LABELS = ("video_id", "participant", "annotator", "question", "start_s", "end_s", "answer")


def csv_files(cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each table; those of what was asked, and of labels if any."""
    yield "recordings.csv", write_csv(_RECORDINGS, _recordings(cohort), mark=True)
    yield "clips.csv", write_csv(_CLIPS, _clips(cohort), mark=True)
    if cohort.questions:
        yield "answers.csv", write_csv(_ANSWERS, _answers(cohort), mark=True)
    if cohort.contrasts:
        yield "contrasts.csv", write_csv(_CONTRASTS, _contrasts(cohort), mark=True)
    if any(each.labels or each.given for each in cohort.recordings):
        yield "labels.csv", write_csv(_LABELS, _labels(cohort), mark=True)


def _recordings(cohort: ExportedCohort) -> Iterator[tuple[Cell, ...]]:
    for one in cohort.recordings:
        label = one.labels[0].label if one.labels else None
        yield (
            *(one.name, one.media, one.participant, one.visit, one.duration_s, one.status),
            *(one.error_kind, one.p, one.answer),
            None if label is None else answer_word(bool(label)),
        )


def _clips(cohort: ExportedCohort) -> Iterator[tuple[Cell, ...]]:
    for each in cohort.recordings:
        for number, one in enumerate(each.clips):
            times = (one.start_s, one.end_s)
            yield (each.name, number, *times, one.p, one.answer, one.error_kind)


def _answers(cohort: ExportedCohort) -> Iterator[tuple[Cell, ...]]:
    for each in cohort.recordings:
        for number, one in enumerate(each.clips):
            for question, (answer, p) in one.further.items():
                yield (each.name, number, one.start_s, one.end_s, question, answer, p)


def _contrasts(cohort: ExportedCohort) -> Iterator[tuple[Cell, ...]]:
    for each in cohort.recordings:
        for number, one in enumerate(each.clips):
            for contrast, distance in one.contrasts.items():
                yield (each.name, number, one.start_s, one.end_s, contrast, distance)


def _labels(cohort: ExportedCohort) -> Iterator[tuple[Cell, ...]]:
    """Yield the segments and marks, and each label of a whole recording, without times."""
    for each in cohort.recordings:
        for one in each.labels:
            who = (each.name, each.participant, one.annotator)
            if one.label is not None:
                yield (*who, None, None, None, answer_word(bool(one.label)))
            for start_s, end_s in one.marks:
                yield (*who, None, start_s, end_s, YES)
        for given in each.given:
            times = (given.start_s, given.end_s)
            yield (each.name, each.participant, None, given.question, *times, given.answer)
