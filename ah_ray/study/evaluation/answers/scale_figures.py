"""How near an expected value is to the number of the label's answer. Pure.

    mean absolute error  mean of |expected value − number of the label|
    rank correlation     Spearman's, of expected values and numbers of labels
    kappa                1 − Σ w·observed / Σ w·by chance, of labels and likeliest answers, where w
                         is the square of the distance of their numbers (Cohen 1968)

The variance is the jackknife's over participants. That of a correlation or of kappa is taken of
z = artanh(r·n/(n + 1)), where n is the number of videos, and is at least that of as many
independent videos as the cap in intervals.py allows: 1/(cap − 3). The interval is Student's in z.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.answers.schema import ScaleFigures
from ah_ray.study.evaluation.figures.answer_intervals import leave_one_out_influence
from ah_ray.study.evaluation.figures.calibration_intervals import sum_by_participant
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import (
    LEAST_CORRELATION,
    LEVEL,
    Interval,
    divide,
    mean_interval,
    most_effective,
    ratio_influence,
)
from ah_ray.study.evaluation.figures.length_bias import rank_correlation
from ah_ray.study.evaluation.figures.score_intervals import leave_one_out
from ah_ray.study.evaluation.figures.student import Floats, student_quantile

Numbers = npt.NDArray[np.int64]


def error_interval(
    value: Floats, number: Floats, participant: Numbers, span: float, level: float = LEVEL
) -> Interval:
    """Return the mean absolute error of expected values.

    value [n]; number [n] of the labels; `span` is the distance of the scale's ends.
    """
    errors = np.abs(value - number) / span
    total = sum_by_participant(errors, participant)
    n = sum_by_participant(np.ones(len(errors)), participant)
    found = mean_interval(total, n, level)
    return Interval(
        value=found.value * span,
        low=np.clip(found.low, 0.0, found.value) * span,
        high=np.clip(found.high, found.value, 1.0) * span,
        n_people=found.n_people,
        influence=found.influence * span,
        df=found.df,
    )


def rank_interval(
    value: Floats,
    number: Floats,
    participant: Numbers,
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> Interval:
    """Return Spearman's rank correlation of n values; NaN where one of them is constant."""

    def ranked(weights: Floats) -> Floats:
        found = (rank_correlation(value[w > 0], number[w > 0]) for w in weights)
        return np.array([np.nan if one is None else one for one in found])

    n = sum_by_participant(np.ones(len(value)), participant)
    shrink = len(value) / (len(value) + 1)
    whole = ranked(np.ones((1, len(value))))[0]
    _, influence = leave_one_out(lambda w: np.arctanh(ranked(w) * shrink), participant)
    return _interval_of_z(np.asarray(whole), influence, n, level, correlation)


def kappa_interval(
    counts: Floats,
    scale: Floats,
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> Interval:
    """Return kappa with quadratic weights; counts [participants, k, k] of labels and answers."""
    n, whole = counts.sum(axis=(-1, -2)), counts.sum(axis=0)
    shrink = n.sum() / (n.sum() + 1)
    left_out = np.arctanh(weighted_kappa(whole - counts, scale) * shrink)
    influence = leave_one_out_influence(left_out, n > 0)
    return _interval_of_z(weighted_kappa(whole, scale), influence, n, level, correlation)


def weighted_kappa(counts: Floats, scale: Floats) -> Floats:
    """Return kappa [...] of counts [..., k, k]; NaN where chance alone explains everything."""
    weights = (scale[:, None] - scale[None, :]) ** 2
    n = counts.sum(axis=(-1, -2))
    by_chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    expected = divide((weights * by_chance).sum(axis=(-1, -2)), n)
    return np.asarray(1 - divide((weights * counts).sum(axis=(-1, -2)), expected))


def _interval_of_z(
    whole: Floats, influence: Floats, n: Floats, level: float, correlation: float
) -> Interval:
    """Return the interval of a correlation; influence is that on z, n that of each participant."""
    _, df, n_people = ratio_influence(np.zeros_like(n), n, np.zeros(()))
    z = np.arctanh(whole * n.sum() / (n.sum() + 1))
    least = 1 / np.maximum(most_effective(n, correlation) - 3, 1.0)
    half = student_quantile(level, df) * np.sqrt(np.maximum((influence**2).sum(), least))
    return Interval(
        value=whole,
        low=np.minimum(np.tanh(z - half), whole),
        high=np.maximum(np.tanh(z + half), whole),
        n_people=n_people,
        influence=influence,
        df=df,
    )


def scale_figures(
    value: Floats,
    number: Floats,
    counts: Floats,
    participant: Numbers,
    scale: Floats,
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> ScaleFigures:
    """Return the figures of n expected values; counts [participants, k, k] of their answers."""
    n = len(value)
    span = float(np.ptp(scale))
    error = error_interval(value, number, participant, span, level)
    ranks = rank_interval(value, number, participant, level, correlation)
    kappa = kappa_interval(counts, scale, level, correlation)
    return ScaleFigures(
        mean_absolute_error=estimate_of(error, n=n),
        rank_correlation=estimate_of(ranks, n=n),
        kappa=estimate_of(kappa, n=n),
    )
