"""Confidence intervals for figures of videos that belong to participants. Closed formulas. Pure.

Videos of one participant are alike, so what varies independently are participants. For a share
p = Σa/B, where participant i has bᵢ videos that count, aᵢ of them successes, and B = Σb:

    v    = Σ [(aᵢ − p·bᵢ)/B]² / (1 − hᵢ), hᵢ = bᵢ/B     variance between participants ("CR2")
    df   = B² / (Σbᵢ² + [(Σqᵢ)² − Σqᵢ²]/B²), qᵢ = bᵢ²/(1 − hᵢ), from 1 to n − 1
    cap  = B / (1 + ρ·max(0, Σbᵢ²/B − 1))               as many independent videos at most, where
                                                        the correlation ρ is 0.1
    n_eff = min(p(1 − p)/v, cap); cap where v is 0

and the interval is Wilson's for p of n_eff independent videos, with Student's quantile at df. A
mean or a difference of two such figures has the interval that MOVER makes of their two. The
percentile bootstrap, which this replaces, covers far less near 0 and 1 and with few people;
`benchmarks/coverage.py` measures both in the same run.

Sources: Wilson 1927; Bell and McCaffrey 2002 (v, df); Korn and Graubard 1998, Dean and Pagano 2015,
Franco et al. 2019 (effective sample sizes); Zou and Donner 2008 (MOVER).

All functions take arrays [..., participants], so that many cohorts are computed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.student import Floats, student_quantile

LEVEL = 0.95
LEAST_CORRELATION = 0.1
"""The correlation between videos of one participant that is assumed at least."""

CLIP_CORRELATION = 0.3
"""The same between clips of one participant, who has many more of them than videos."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interval:
    """A figure with its interval, for each cohort [...]; NaN where it is not defined."""

    value: Floats
    low: Floats
    high: Floats
    n_people: Floats  # participants with videos that count
    influence: (
        Floats  # [..., participants]: what each adds to the error of `value`; v is Σ of squares
    )
    df: Floats

    @property
    def variance(self) -> Floats:
        return np.asarray((self.influence**2).sum(axis=-1))


def share_interval(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    level: float = LEVEL,
    correlation: float = LEAST_CORRELATION,
) -> Interval:
    """Return Σa/Σb with its interval; a and b [..., participants], 0 ≤ a ≤ b."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    total = b.sum(axis=-1)
    p = divide(a.sum(axis=-1), total)
    influence, df, n_people = ratio_influence(a, b, p)
    n_eff = effective_number(p, (influence**2).sum(axis=-1), most_effective(b, correlation))
    low, high = wilson(p, n_eff, student_quantile(level, df))
    return Interval(value=p, low=low, high=high, n_people=n_people, influence=influence, df=df)


def mean_interval(
    total: npt.ArrayLike, b: npt.ArrayLike, level: float = LEVEL, least: float = 2.0
) -> Interval:
    """Return Σtotal/Σb with an interval that is symmetrical: for means that may be below 0.

    total and b [..., participants]. `least`/n² is added to the variance, which keeps the interval
    open where all participants agree; n is the number of videos.
    """
    total, b = np.asarray(total, np.float64), np.asarray(b, np.float64)
    mean = divide(total.sum(axis=-1), b.sum(axis=-1))
    influence, df, n_people = ratio_influence(total, b, mean)
    return symmetrical(mean, influence, df, n_people, b.sum(axis=-1), level, least)


def symmetrical(
    value: Floats,
    influence: Floats,
    df: Floats,
    n_people: Floats,
    n_videos: Floats,
    level: float = LEVEL,
    least: float = 2.0,
) -> Interval:
    """Return value ± t·√(v + least/n²), where v is the sum of the squared influences."""
    variance = (influence**2).sum(axis=-1) + divide(np.asarray(least), n_videos**2)
    half = student_quantile(level, df) * np.sqrt(variance)
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        n_people=n_people,
        influence=influence,
        df=df,
    )


def paired_difference(
    first: Interval, second: Interval, n_videos: Floats, level: float = LEVEL
) -> Interval:
    """Return second − first of a figure of the same videos, with its interval."""
    return symmetrical(
        second.value - first.value,
        second.influence - first.influence,
        np.minimum(first.df, second.df),
        np.minimum(first.n_people, second.n_people),
        n_videos,
        level,
    )


def average_interval(first: Interval, second: Interval) -> Interval:
    """Return the mean of two figures of the same participants, with its interval by MOVER.

    A correlation below 0 counts as 0: with few people, it is mostly chance. The limits lie no
    further out than the means of the two lower and of the two upper limits, also after rounding.
    """
    r = np.maximum(_correlation(first, second), 0)
    low = _mover(first.value - first.low, second.value - second.low, r)
    high = _mover(first.high - first.value, second.high - second.value, r)
    value = (first.value + second.value) / 2
    return Interval(
        value=value,
        low=np.maximum(value - low / 2, (first.low + second.low) / 2),
        high=np.minimum(value + high / 2, (first.high + second.high) / 2),
        n_people=np.minimum(first.n_people, second.n_people),
        influence=(first.influence + second.influence) / 2,
        df=np.minimum(first.df, second.df),
    )


def difference_interval(first: Interval, second: Interval) -> Interval:
    """Return second − first with its interval by MOVER, for two figures of the same participants.

    A participant may count in one of them, in both, or in neither. The limits lie no further out
    than the differences of opposite limits, also after rounding.
    """
    r = -_correlation(first, second)
    low = _mover(second.value - second.low, first.high - first.value, r)
    high = _mover(second.high - second.value, first.value - first.low, r)
    value = second.value - first.value
    return Interval(
        value=value,
        low=np.maximum(value - low, second.low - first.high),
        high=np.minimum(value + high, second.high - first.low),
        n_people=np.minimum(first.n_people, second.n_people),
        influence=second.influence - first.influence,
        df=np.minimum(first.df, second.df),
    )


def _mover(g: Floats, k: Floats, r: Floats) -> Floats:
    """Return √(g² + k² + 2·r·g·k): how far the sum of two figures may lie on one side."""
    return np.asarray(np.sqrt(np.maximum(g**2 + k**2 + 2 * r * g * k, 0.0)))


def _correlation(first: Interval, second: Interval) -> Floats:
    both = (first.influence * second.influence).sum(axis=-1)
    spread = np.sqrt(first.variance * second.variance)
    return np.asarray(np.divide(both, spread, out=np.zeros(np.shape(both)), where=spread > 0))


def ratio_influence(a: Floats, b: Floats, ratio: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the influences on Σa/Σb [..., participants], and degrees of freedom and people [...].

    The formulas of v and df are above. Influences are NaN where only one participant counts.
    """
    total = b.sum(axis=-1, keepdims=True)
    n_people = (b > 0).sum(axis=-1).astype(np.float64)
    share = divide(b, total)
    kept = np.where(share < 1, 1 - share, np.nan)
    influence = divide(a - ratio[..., None] * b, total) / np.sqrt(kept)
    q = b**2 / kept
    crossed = (q.sum(axis=-1) ** 2 - (q**2).sum(axis=-1)) / total[..., 0] ** 2
    df = divide(total[..., 0] ** 2, (b**2).sum(axis=-1) + crossed)
    return influence, np.clip(df, 1, np.maximum(n_people - 1, 1)), n_people


def most_effective(b: Floats, correlation: float = LEAST_CORRELATION) -> Floats:
    """Return how many independent videos those of b [..., participants] stand for at most."""
    total = b.sum(axis=-1)
    crowding = np.maximum(0.0, divide((b**2).sum(axis=-1), total) - 1)
    return np.asarray(total / (1 + correlation * crowding))


def effective_number(p: Floats, variance: Floats, cap: Floats) -> Floats:
    """Return min(p(1 − p)/v, cap) [...]; the cap where v is 0."""
    alone = np.divide(p * (1 - p), variance, out=np.full(np.shape(p), np.inf), where=variance > 0)
    return np.asarray(np.where(np.isnan(p), np.nan, np.minimum(alone, cap)))


def wilson(p: Floats, n_eff: Floats, t: Floats) -> tuple[Floats, Floats]:
    """Return the limits of Wilson's score interval for a share p of n_eff videos.

    0 ≤ low ≤ p ≤ high ≤ 1 holds exactly, also after rounding.
    """
    m = n_eff / t**2
    centre = (p + 1 / (2 * m)) / (1 + 1 / m)
    half = np.sqrt(np.maximum(p * (1 - p), 0) / m + 1 / (4 * m**2)) / (1 + 1 / m)
    return np.clip(centre - half, 0.0, p), np.clip(centre + half, p, 1.0)


def divide(a: Floats, b: Floats) -> Floats:
    """Return a/b, with NaN for a division by 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0))
