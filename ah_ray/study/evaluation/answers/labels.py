"""The labels of one question: of whole videos, and of intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.answers.schema import JudgedQuestion
from ah_ray.study.evaluation.figures.timeline import shared_s
from ah_ray.study.labelled_manifest import (
    LABELLED_VIDEOS,
    read_labelled_answers,
    read_labelled_videos,
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledInterval:
    """A part of a video that has one answer throughout."""

    start_s: float
    end_s: float
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionLabels:
    """All labels of a question."""

    question: JudgedQuestion
    videos: pa.Table  # LABELLED_VIDEOS of the videos that have any of them; see `label_videos`
    answer: Mapping[str, str]  # video_id → the answer about the whole video
    derived: frozenset[str]  # video_ids of those whose answer follows from their intervals
    intervals: Mapping[str, Sequence[LabelledInterval]]  # video_id → its intervals


def read_question_labels(labels: str, question: JudgedQuestion) -> QuestionLabels:
    """Return the labels of a question in a labelled manifest.

    Of two answers, a video that is labelled in intervals has the positive one if an interval has
    it, and the other one if none has, as a video is A/H if a segment is marked in it. Raise
    ConfigError if there are no labels, if an answer is none of the question's, or if a video has
    two answers as a whole.
    """
    table = read_labelled_answers(labels)
    rows = [row for row in table.to_pylist() if row["question"] == question.name]
    if not rows:
        raise _no_labels_error(labels, question, table)
    unknown = next((row for row in rows if row["answer"] not in question.answers), None)
    if unknown is not None:
        raise ConfigError(
            f"--labels {labels}: {unknown['video_id']} is labelled {unknown['answer']!r}, which is "
            f"no answer to {question.name} ({', '.join(question.answers)}): correct the label, and "
            "run jobs/prepare.py again"
        )
    answer: dict[str, str] = {}
    intervals: dict[str, list[LabelledInterval]] = {}
    for row in rows:
        video_id = row["video_id"]
        if row["start_s"] is None:
            if answer.setdefault(video_id, row["answer"]) != row["answer"]:
                raise ConfigError(
                    f"--labels {labels}: {video_id} has two answers to {question.name} "
                    f"({answer[video_id]} and {row['answer']}): leave one of them, and run "
                    "jobs/prepare.py again"
                )
            continue
        end_s = float("inf") if row["end_s"] is None else row["end_s"]
        one = LabelledInterval(start_s=row["start_s"], end_s=end_s, answer=row["answer"])
        intervals.setdefault(video_id, []).append(one)
    derived = _derive_answers(intervals, question, answer)
    answer |= derived
    videos = _videos_of(labels, answer.keys() | intervals.keys())
    return QuestionLabels(
        question=question,
        videos=label_videos(videos, answer, question),
        answer=answer,
        derived=frozenset(derived),
        intervals=intervals,
    )


def _derive_answers(
    intervals: Mapping[str, Sequence[LabelledInterval]],
    question: JudgedQuestion,
    known: Mapping[str, str],
) -> dict[str, str]:
    """Return video_id → answer of the videos that are labelled in intervals alone."""
    if question.positive is None:
        return {}
    (other,) = (answer for answer in question.answers if answer != question.positive)
    return {
        video_id: question.positive
        if any(one.answer == question.positive for one in some)
        else other
        for video_id, some in intervals.items()
        if video_id not in known
    }


def label_videos(videos: pa.Table, answer: Mapping[str, str], question: JudgedQuestion) -> pa.Table:
    """Return LABELLED_VIDEOS in which `label` is about this question; nothing is marked in them.

    `label` is 1 for the positive answer and 0 for the other one, or the place of one of several
    answers; null where no label is about the whole video.
    """

    def label(video_id: str) -> int | None:
        given = answer.get(video_id)
        if given is None:
            return None
        return (
            question.answers.index(given)
            if question.positive is None
            else int(given == question.positive)
        )

    changed = {
        "label": [label(video_id) for video_id in videos["video_id"].to_pylist()],
        "segments": [None] * len(videos),
    }
    for name, values in changed.items():
        place, field = videos.schema.get_field_index(name), LABELLED_VIDEOS.field(name)
        videos = videos.set_column(place, field, pa.array(values, field.type))
    return videos


def find_answer(clip: tuple[float, float], intervals: Sequence[LabelledInterval]) -> str | None:
    """Return the answer that a clip is labelled with; None if no interval says it.

    An interval says it if it covers half of the clip or more, or if the clip covers half of it or
    more. Of several, the one that shares most seconds with the clip counts.
    """
    best, longest = None, 0.0
    for one in intervals:
        span = (one.start_s, one.end_s)
        shared = shared_s([clip], [span])
        if shared > longest and 2 * shared >= min(clip[1] - clip[0], span[1] - span[0]):
            best, longest = one.answer, shared
    return best


def _videos_of(labels: str, video_ids: set[str]) -> pa.Table:
    """Return LABELLED_VIDEOS of these videos."""
    videos = read_labelled_videos(labels)
    there = [video_id in video_ids for video_id in videos["video_id"].to_pylist()]
    if sum(there) < len(video_ids):
        raise ConfigError(
            f"--labels {labels}: answers.parquet and videos.parquet are not of one run: run "
            "jobs/prepare.py again"
        )
    return videos.filter(pa.array(there, pa.bool_()))


def _no_labels_error(labels: str, question: JudgedQuestion, table: pa.Table) -> ConfigError:
    held = Counter(table["question"].to_pylist())
    there = ", ".join(f"{n:,} of {name}" for name, n in held.items())
    return ConfigError(
        f"--labels {labels} has no label of the question {question.name}"
        + (f" (it has {there})" if there else "")
        + f": give them to jobs/prepare.py --table, or with --label-columns {question.name}=COLUMN"
    )
