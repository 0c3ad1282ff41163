"""The measures of scores with their intervals, by leaving out one participant at a time. Pure.

The variance is the jackknife's over participants; the interval is Wilson's with Student's quantile:

    average precision  df = participants with A/H − 1, n_eff ≤ min(3·A/H videos, videos)
    AUROC              df = min(participants with A/H, participants without) − 1, n_eff ≤ cap

with n_eff and cap as in intervals.py. A difference on the same videos is symmetrical, with 1 over
the square of the number of A/H videos added to its variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.answer_intervals import leave_one_out_influence
from ah_ray.study.evaluation.figures.intervals import (
    LEAST_CORRELATION,
    LEVEL,
    Interval,
    effective_number,
    most_effective,
    symmetrical,
    wilson,
)
from ah_ray.study.evaluation.figures.measures import auroc
from ah_ray.study.evaluation.figures.student import Floats, student_quantile

_CELLS = 4_000_000  # numbers held at once, of all participants times all videos

_MOST_GROUPS = 400

Labels = npt.NDArray[np.bool_]
ScoreMeasure = Callable[[Labels, Floats, Floats], Floats]
"""Of label [n], p_ah [n] and weights [draws, n]: the measure [draws]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """How many videos of each kind every participant has; each field is [participants]."""

    n_ah: Floats
    n_others: Floats

    @classmethod
    def of(cls, label: Labels, participant: npt.NDArray[np.int64]) -> People:
        """Count them; label [n], participant [n] as any numbers."""
        _, number = np.unique(participant, return_inverse=True)
        n_ah = np.bincount(number, label).astype(np.float64)
        return cls(n_ah=n_ah, n_others=np.bincount(number) - n_ah)


def score_interval(
    measure: ScoreMeasure,
    label: Labels,
    p_ah: Floats,
    participant: npt.NDArray[np.int64],
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> Interval:
    """Return average precision, in either form, or AUROC of n videos with its interval."""
    whole, influence = leave_one_out(lambda w: measure(label, p_ah, w), participant)
    people = People.of(label, participant)
    with_ah = (people.n_ah > 0).sum()
    if measure is auroc:
        n_people = min(with_ah, (people.n_others > 0).sum())
        cap = most_effective(people.n_ah + people.n_others, correlation)
    else:
        n_people = with_ah
        cap = np.asarray(min(3 * people.n_ah.sum(), float(len(label))))
    if correlation > LEAST_CORRELATION:
        cap = np.minimum(cap, 3 * most_effective(people.n_ah, correlation))
    df = np.asarray(max(float(n_people) - 1, 1.0))
    n_eff = effective_number(whole, np.asarray((influence**2).sum()), cap)
    low, high = wilson(whole, n_eff, student_quantile(level, df))
    return Interval(
        value=whole,
        low=low,
        high=high,
        n_people=np.asarray(float(n_people)),
        influence=influence,
        df=df,
    )


def score_difference(
    measure: ScoreMeasure,
    label: Labels,
    first: Floats,
    second: Floats,
    participant: npt.NDArray[np.int64],
    level: float = LEVEL,
) -> Interval:
    """Return the measure of `second` less that of `first`, on the same n videos."""
    value, influence = leave_one_out(
        lambda w: measure(label, second, w) - measure(label, first, w), participant
    )
    people = People.of(label, participant)
    n_people = np.asarray(float((people.n_ah > 0).sum()))
    if measure is auroc:
        n_people = np.minimum(n_people, float((people.n_others > 0).sum()))
    df = np.maximum(n_people - 1, 1.0)
    n_ah = np.asarray(people.n_ah.sum())
    return symmetrical(value, influence, df, n_people, n_ah, level, least=1.0)


def leave_one_out(
    measure: Callable[[Floats], Floats], participant: npt.NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the measure of all videos [], and the influence of each participant [participants].

    Of more than 400 participants, groups are left out instead, which gives the same variance.
    `measure` takes weights [draws, n], how often each video counts, and gives [draws].
    """
    n = len(participant)
    whole = np.asarray(measure(np.ones((1, n)))[0])
    _, number = np.unique(participant, return_inverse=True)
    number = number % _MOST_GROUPS
    m = int(number.max(initial=-1)) + 1
    at_once = max(1, _CELLS // max(n, 1))
    left_out = np.full(m, np.nan)
    for first in range(0, m, at_once):
        some = np.arange(first, min(first + at_once, m))
        left_out[some] = measure((number[None, :] != some[:, None]).astype(np.float64))
    return whole, leave_one_out_influence(left_out, np.ones(m))
