"""How good one of several answers is, each figure with its interval. Pure.

Counts are of participants: [..., participants, k, k + 1] with the label's answer, and the answer
that was given; the last column is that of no answer. A class is an answer of the question:

    accuracy   answers that are right / all
    precision  right among those that were given this answer
    recall     right among those that are labelled so
    F1         2·right / (labelled so + given this answer)
    macro-F1   the mean of F1 over the classes that some label has

0/0 is not defined. F1 of a class that nobody was labelled with is not defined either, and macro-F1
leaves it out; its answers are still wrong ones of the other classes. The formulas of the intervals
are in figures/intervals.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.answers.schema import AnswerFigures, ClassFigures
from ah_ray.study.evaluation.figures.answer_intervals import mean_of_shares
from ah_ray.study.evaluation.figures.calibration_intervals import sum_by_participant
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import (
    LEAST_CORRELATION,
    LEVEL,
    Interval,
    most_effective,
    paired_difference,
    share_interval,
)
from ah_ray.study.evaluation.figures.student import Floats

Numbers = npt.NDArray[np.int64]
NO_ANSWER = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassIntervals:
    """The figures of cohorts [...]; those of classes are [..., k]."""

    accuracy: Interval
    macro_f1: Interval
    precision: Interval
    recall: Interval
    f1: Interval


def count_answers(label: Numbers, answer: Numbers, participant: Numbers, k: int) -> Floats:
    """Return counts [participants, k, k + 1]; label [n] from 0 on, answer [n] or NO_ANSWER."""
    cells = np.zeros((len(label), k, k + 1))
    cells[np.arange(len(label)), label, answer] = 1  # NO_ANSWER is the last column
    return sum_by_participant(cells.reshape(len(label), -1), participant).reshape(-1, k, k + 1)


def class_intervals(
    counts: Floats, level: float = LEVEL, correlation: float = LEAST_CORRELATION
) -> ClassIntervals:
    """Return all figures of answers with their intervals."""
    right, labelled, given = _class_counts(counts)
    n = labelled.sum(axis=-2)  # videos of each participant
    f1 = share_interval(*_f1_parts(right, labelled, given), level, correlation)
    return ClassIntervals(
        accuracy=share_interval(right.sum(axis=-2), n, level, correlation),
        macro_f1=_macro_f1(f1, labelled, most_effective(n, correlation), level),
        precision=share_interval(right, given, level, correlation),
        recall=share_interval(right, labelled, level, correlation),
        f1=f1,
    )


def paired_class_intervals(
    first: Floats, second: Floats, level: float = LEVEL
) -> dict[str, Interval]:
    """Return second − first of accuracy and macro-F1 on the same videos.

    first and second are counts of the same participants.
    """
    a, b = (class_intervals(counts, level) for counts in (first, second))
    n_videos = first.sum(axis=(-1, -2, -3))
    return {
        "accuracy": paired_difference(a.accuracy, b.accuracy, n_videos, level),
        "macro_f1": paired_difference(a.macro_f1, b.macro_f1, n_videos, level),
    }


def answer_figures(
    counts: Floats,
    answers: Sequence[str],
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> AnswerFigures:
    """Return the figures of one cohort; counts [participants, k, k + 1]."""
    found = class_intervals(counts, level, correlation)
    whole = counts.sum(axis=0)
    right, labelled, given = (each.sum(axis=-1) for each in _class_counts(counts))

    def of_class(name: str, place: int, of: Floats) -> Interval:
        each: Interval = getattr(found, name)
        return Interval(
            value=each.value[place],
            low=each.low[place],
            high=each.high[place],
            n_people=each.n_people[place],
            influence=each.influence[place],
            df=each.df[place],
        )

    return AnswerFigures(
        n=int(whole.sum()),
        n_participants=int((counts.sum(axis=(-1, -2)) > 0).sum()),
        n_right=int(right.sum()),
        confusion=tuple(tuple(map(int, row)) for row in whole.tolist()),
        accuracy=estimate_of(found.accuracy, k=right.sum(), n=whole.sum()),
        macro_f1=estimate_of(found.macro_f1, n=whole.sum()),
        classes=tuple(
            ClassFigures(
                answer=answer,
                support=int(labelled[place]),
                n_given=int(given[place]),
                precision=estimate_of(
                    of_class("precision", place, given), k=right[place], n=given[place]
                ),
                recall=estimate_of(
                    of_class("recall", place, labelled), k=right[place], n=labelled[place]
                ),
                f1=estimate_of(of_class("f1", place, labelled)),
            )
            for place, answer in enumerate(answers)
        ),
    )


def _class_counts(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Return how often each answer was right, labelled and given: [..., k, participants] each."""
    right = np.diagonal(counts[..., :-1], axis1=-2, axis2=-1)
    labelled, given = counts.sum(axis=-1), counts[..., :-1].sum(axis=-2)
    turned = [np.swapaxes(each, -1, -2) for each in (right, labelled, given)]
    return turned[0], turned[1], turned[2]


def _f1_parts(right: Floats, labelled: Floats, given: Floats) -> tuple[Floats, Floats]:
    is_known = labelled.sum(axis=-1, keepdims=True) > 0
    return 2 * right * is_known, np.where(is_known, labelled + given, 0.0)


def _macro_f1(f1: Interval, labelled: Floats, cap: Floats, level: float) -> Interval:
    is_used = labelled.sum(axis=-1) > 0
    people = (labelled > 0).sum(axis=-1)
    n_people = np.where(is_used, people, people.max(axis=-1, keepdims=True)).min(axis=-1)
    return mean_of_shares(f1, is_used, n_people.astype(np.float64), cap, level)
