"""Intervals of calibration in the large, of the Brier score and of log loss. Pure.

    in the large  mean of p − y, with a symmetrical interval
    Brier         mean of (p − y)², with an interval of its logarithm, from FEWEST_FOR_LOSSES people

With fewer people no interval of a loss covers, so none is given; the expected calibration error has
none at all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.intervals import (
    LEVEL,
    Interval,
    divide,
    mean_interval,
    ratio_influence,
)
from ah_ray.study.evaluation.figures.measures import Labels
from ah_ray.study.evaluation.figures.student import Floats, student_quantile
from ah_ray.verdicts.reduction import logit

FEWEST_FOR_LOSSES = 75

Numbers = npt.NDArray[np.int64]


def sum_by_participant(values: Floats, participant: Numbers) -> Floats:
    """Return sums [participants, k] of values [n, k], or [participants] of values [n]."""
    _, number = np.unique(participant, return_inverse=True)
    summed = np.zeros((int(number.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(summed, number, values)
    return summed


def in_the_large(
    label: Labels, p_ah: Floats, participant: Numbers, level: float = LEVEL
) -> Interval:
    """Return mean p_ah less the share of A/H: above 0, scores are too high on the whole."""
    everywhere = np.ones(len(label), np.bool_)
    return mean_interval(*in_the_large_parts(label, p_ah, participant, everywhere), level)


def in_the_large_parts(
    label: Labels, p_ah: Floats, participant: Numbers, which: Labels
) -> tuple[Floats, Floats]:
    """Return Σ(p − y) and the number of videos where `which` [n] is True: [participants] each."""
    off = sum_by_participant((p_ah - label) * which, participant)
    return off, sum_by_participant(which.astype(np.float64), participant)


def mean_losses(
    label: Labels,
    p_ah: Floats,
    participant: Numbers,
    level: float = LEVEL,
    fewest_people: int = FEWEST_FOR_LOSSES,
) -> dict[str, Interval]:
    """Return the Brier score and log loss; their limits are NaN below `fewest_people`."""
    losses = {"brier": (p_ah - label) ** 2, "log_loss": log_losses(label, p_ah)}
    people = min(
        int((sum_by_participant(which.astype(np.float64), participant) > 0).sum())
        for which in (label, ~label)
    )
    return {
        name: _log_interval(values, participant, level, fewest_people, people)
        for name, values in losses.items()
    }


def _log_interval(
    values: Floats, participant: Numbers, level: float, fewest: int, people_of_rarer_label: int
) -> Interval:
    """Return a positive mean with mean·exp(± t·√v/mean).

    Degrees of freedom are at most those of the participants who have the rarer label, since most of
    a loss may come from their videos.
    """
    total = sum_by_participant(values, participant)
    n = sum_by_participant(np.ones(len(values)), participant)
    mean = divide(total.sum(axis=-1), n.sum(axis=-1))
    influence, df, n_people = ratio_influence(total, n, mean)
    df = np.clip(df, 1, max(people_of_rarer_label - 1, 1))
    variance = (influence**2).sum(axis=-1)
    ratio = np.exp(student_quantile(level, df) * divide(np.sqrt(variance), mean))
    ratio = np.where(n_people >= fewest, ratio, np.nan)
    return Interval(
        value=mean,
        low=mean / ratio,
        high=mean * ratio,
        n_people=n_people,
        influence=influence,
        df=df,
    )


def log_losses(label: Labels, p_ah: Floats) -> Floats:
    """Return the log loss of each video [n]; finite also for p of 0 and 1 (reduction.logit)."""
    x = logits(p_ah)
    return np.asarray(np.logaddexp(0, np.where(label, -x, x)))


def logits(p_ah: Floats) -> Floats:
    """Return log(p/(1 − p)) [n], with p kept away from 0 and 1 as in reduction.logit."""
    return np.array([logit(p) for p in p_ah.tolist()], np.float64)
