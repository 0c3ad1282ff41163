"""The answers that an output gives to one question, beside labels: of videos and of clips."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.answers.class_figures import (
    NO_ANSWER,
    answer_figures,
    count_answers,
)
from ah_ray.study.evaluation.answers.labels import QuestionLabels, find_answer
from ah_ray.study.evaluation.answers.scale_figures import scale_figures
from ah_ray.study.evaluation.answers.schema import AnswerFigures, JudgedQuestion
from ah_ray.study.evaluation.answers.yes_no import forget_calibrations
from ah_ray.study.evaluation.figures.intervals import LEAST_CORRELATION, LEVEL
from ah_ray.study.evaluation.figures.measures import Floats, Labels
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.study.evaluation.scored_output import (
    NO_ROW,
    NOT_ASKED,
    Row,
    ScoredOutput,
    number_participants,
    read_output,
)
from ah_ray.verdicts.further_answers import find_expected_value, reduce_asked

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenAnswers:
    """Labels and answers of n videos, or clips; each field is [n]."""

    label: Numbers  # the place of the label's answer among the question's
    answer: Numbers  # the place of the likeliest answer; NO_ANSWER where there is none
    value: Floats  # the expected value on the scale; NaN without one
    p: Floats  # of the positive answer, or of the first one; NaN where there is no answer
    participant: Numbers

    def __len__(self) -> int:
        return len(self.label)

    @property
    def is_answered(self) -> Labels:
        return np.asarray(self.answer != NO_ANSWER)

    def only(self, which: Labels) -> GivenAnswers:
        """Return those where `which` [n] is True."""
        return replace(self, **{one.name: getattr(self, one.name)[which] for one in fields(self)})

    def without_unanswered(self) -> GivenAnswers:
        """Return those that have an answer."""
        return self.only(self.is_answered)

    def count(self, k: int) -> Floats:
        """Return counts [participants, k, k + 1] of labels and answers."""
        return count_answers(self.label, self.answer, self.participant, k)

    def predictions(self, question: JudgedQuestion) -> Predictions:
        """Return the scores of a question with two answers; its answer is Yes from 0.5 on."""
        positive = question.answers.index(question.positive or question.answers[0])
        return Predictions.of(
            self.label == positive, self.p, np.nan_to_num(self.p) >= 0.5, self.participant
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredOutput:
    """An output, and the probabilities of a question's answers in its videos."""

    scored: ScoredOutput
    question: JudgedQuestion
    p: Mapping[str, Sequence[float]]  # video_id → of each answer, reduced over the video's clips

    @property
    def reducer(self) -> str:
        return self.scored.config.questions[self.question.name].reducer

    def reason(self, video_id: str) -> str | None:
        """Return why a video has no answer: `no row`, its error kind, or `not asked`."""
        if video_id in self.p:
            return None
        row = self.scored.rows.get(video_id)
        return NO_ROW if row is None else str(row["error_kind"] or NOT_ASKED)

    def answer_videos(self, videos: Sequence[Row], answer: Mapping[str, str]) -> GivenAnswers:
        """Return the answers of videos beside their labels, `answer`: video_id → answer."""
        return self._collect(
            [
                (self.p.get(v["video_id"]), answer[v["video_id"]], v["participant_id"])
                for v in videos
            ]
        )

    def answer_clips(
        self, videos: Sequence[Row], labels: QuestionLabels
    ) -> tuple[GivenAnswers, int]:
        """Return the answers of the clips that are labelled, and the number of their videos.

        A label of a whole video is about all clips that no interval is about. Clips that failed are
        left out.
        """
        found, video_ids = [], set()
        for video in videos:
            video_id = video["video_id"]
            row, intervals = self.scored.rows.get(video_id), labels.intervals.get(video_id, ())
            whole = None if video_id in labels.derived else labels.answer.get(video_id)
            for clip in row["clips"] if row else ():
                p = find_probabilities(clip["answers"], self.question)
                label = find_answer((clip["start_s"], clip["end_s"]), intervals) or whole
                if p is not None and label is not None:
                    found.append((p, label, video["participant_id"]))
                    video_ids.add(video_id)
        return self._collect(found), len(video_ids)

    def _collect(self, found: Sequence[tuple[Sequence[float] | None, str, str]]) -> GivenAnswers:
        answers, scale = self.question.answers, self.question.scale
        positive = answers.index(self.question.positive or answers[0])

        def each(of: Callable[[Sequence[float]], float | None]) -> Floats:
            values = [None if p is None else of(p) for p, _, _ in found]
            return np.array([np.nan if one is None else one for one in values], np.float64)

        likeliest = [NO_ANSWER if p is None else int(np.argmax(p)) for p, _, _ in found]
        return GivenAnswers(
            label=np.array([answers.index(label) for _, label, _ in found], np.int64),
            answer=np.array(likeliest, np.int64),
            value=each(lambda p: None if scale is None else find_expected_value(p, scale)),
            p=each(lambda p: p[positive]),
            participant=number_participants(whose for _, _, whose in found),
        )


def answer_output(out: str, video_ids: Collection[str], question: JudgedQuestion) -> AnsweredOutput:
    """Return the answers of an output to a question. Raise the errors of `read_output`."""
    scored = read_output(out, video_ids)
    reducer = scored.config.questions[question.name].reducer
    p = {}
    for video_id, row in scored.rows.items():
        asked = row["asked"]
        if question.is_first:  # rows hold the reduced answers to further questions
            asked = reduce_asked(row["clips"], {question.name: reducer})
        found = find_probabilities(asked, question)
        if found is not None:
            p[video_id] = found
    scored = replace(scored, config=forget_calibrations(scored.config))
    return AnsweredOutput(scored=scored, question=question, p=p)


def find_probabilities(
    asked: Sequence[Mapping[str, Any]] | None, question: JudgedQuestion
) -> list[float] | None:
    """Return the probability of each answer, in the question's order; None if it has none."""
    found = {one["answer"]: float(one["p"]) for one in asked or ()
             if one["question"] == question.name}  # fmt: skip
    return [found.get(answer, 0.0) for answer in question.answers] if found else None


def measure_answers(
    given: GivenAnswers,
    question: JudgedQuestion,
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> AnswerFigures:
    """Return the figures of n ≥ 1 answers; those of a scale where each video has an answer."""
    counts = given.count(len(question.answers))
    figures = answer_figures(counts, question.answers, level, correlation)
    numbers = np.array(question.scale or (0,), np.float64)
    if not np.ptp(numbers) or not given.is_answered.all():
        return figures
    return replace(
        figures,
        scale=scale_figures(
            given.value,
            numbers[given.label],
            counts[..., :-1],
            given.participant,
            numbers,
            level,
            correlation,
        ),
    )
