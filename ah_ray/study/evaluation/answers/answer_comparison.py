"""Answers beside those of another output, of the most frequent answer, and of groups. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ah_ray.study.evaluation.answers.class_figures import paired_class_intervals
from ah_ray.study.evaluation.answers.given_answers import GivenAnswers, measure_answers
from ah_ray.study.evaluation.answers.schema import (
    AnswerGain,
    AnswerGroup,
    JudgedQuestion,
    Majority,
)
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import LEVEL
from ah_ray.study.evaluation.figures.slices import MIN_PARTICIPANTS, group_videos
from ah_ray.study.evaluation.scored_output import Row


def compare_answers(
    first: GivenAnswers,
    second: GivenAnswers,
    question: JudgedQuestion,
    names: tuple[str, str],
    level: float = LEVEL,
) -> AnswerGain | None:
    """Return second − first on the same n videos, where both have an answer; None if none has."""
    both = first.is_answered & second.is_answered
    if not both.any():
        return None
    k = len(question.answers)
    a, b = first.only(both), second.only(both)
    found = paired_class_intervals(a.count(k), b.count(k), level)
    return AnswerGain(
        first=names[0],
        second=names[1],
        n_videos=len(a),
        n_participants=len(np.unique(a.participant)),
        accuracy=estimate_of(found["accuracy"], n=len(a)),
        macro_f1=estimate_of(found["macro_f1"], n=len(a)),
    )


def measure_majority(
    scored: GivenAnswers,
    fitted_on: str,
    labels: Sequence[str],
    question: JudgedQuestion,
    level: float = LEVEL,
) -> Majority | None:
    """Return what the most frequent of `labels`, those of another split, reaches by itself.

    None if there are no such labels, or no answer to compare it with.
    """
    if not (labels and len(scored)):
        return None
    counts = Counter(labels)
    answer = max(question.answers, key=lambda one: counts[one])
    always = replace(scored, answer=np.full(len(scored), question.answers.index(answer)))
    figures = measure_answers(always, question, level)
    gain = compare_answers(always, scored, question, (answer, "model"), level)
    if gain is None:
        return None
    return Majority(
        fitted_on=fitted_on,
        n_videos=len(labels),
        answer=answer,
        accuracy=figures.accuracy,
        macro_f1=figures.macro_f1,
        gain=gain,
    )


def measure_groups(
    scored: GivenAnswers,
    videos: Sequence[Row],
    question: JudgedQuestion,
    more: Mapping[str, Sequence[object]],
    level: float = LEVEL,
) -> tuple[AnswerGroup, ...]:
    """Return the figures of each group of n videos with an answer; `more` as in slices.py."""
    groups = []
    for by, group, here in group_videos(videos, more):
        inside = scored.only(here)
        n_people = len(np.unique(inside.participant))
        figures = None
        if n_people >= MIN_PARTICIPANTS:
            figures = measure_answers(inside, question, level)
        groups.append(
            AnswerGroup(
                by=by,
                group=group,
                n_videos=len(inside),
                n_participants=n_people,
                accuracy=None if figures is None else figures.accuracy,
                macro_f1=None if figures is None else figures.macro_f1,
            )
        )
    return tuple(groups)
