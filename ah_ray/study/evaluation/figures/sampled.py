"""Measures of a cohort from a drawn sample of it, with intervals that cover. Pure.

Videos were drawn at random within strata, say half from the Yes verdicts and half from the No. A
video of a stratum h stands for N_h / n_h videos of the cohort. Each measure is a ratio of two
weighted totals, θ = Σ w·a / Σ w·b, and its interval follows from

    z = (a − θ·b) / Σ w·b                             what one video changes (linearised)
    v = Σ_h (1 − n_h/N_h) · N_h² · s_h²(z) / n_h      with the finite-population correction
    m = θ·(1 − θ) / v                                 the effective number of videos

The same m is computed once more after ½ is added to the counts of A/H and of not A/H among the Yes
and among the No of each stratum, since a small sample without an error does not show that there is
none. The smaller m counts. The interval is Wilson's (1927) with m and with Student's quantile for
n − strata degrees of freedom (sources: Dean and Pagano 2015; Franco et al. 2019). That of a mean of
two ratios follows from theirs and their correlation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ah_ray.study.evaluation.figures.estimate import WIDEST, Estimate
from ah_ray.study.evaluation.figures.student import student_quantile

LEVEL = 0.95
Floats = NDArray[np.float64]

RATIOS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # of tp, fp, fn, tn: how each counts above and below the line
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "f1_ah": ((2, 0, 0, 0), (2, 1, 1, 0)),
    "f1_not_ah": ((0, 0, 0, 2), (0, 1, 1, 2)),
    "precision_ah": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall_ah": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "specificity": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "rate_of_yes": ((1, 1, 0, 0), (1, 1, 1, 1)),
    "prevalence": ((1, 0, 1, 0), (1, 1, 1, 1)),
}
MEANS = {"macro_f1": ("f1_ah", "f1_not_ah"), "balanced_accuracy": ("recall_ah", "specificity")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A stratified sample of n videos. Each counts as one of tp, fp, fn and tn."""

    cells: Floats  # [n, 4] tp, fp, fn, tn: one 1 in each row
    stratum: NDArray[np.int64]  # [n] 0 … H − 1
    n_cohort: Floats  # [H] videos of the cohort in each stratum

    @property
    def n_strata(self) -> int:
        return len(self.n_cohort)


@dataclass(frozen=True, slots=True)
class _Group:
    """Counts [4] of one stratum, which stand for `n_cohort` videos; `n` were drawn."""

    counts: Floats
    n: float
    n_cohort: float


def sample_estimate(name: str, sample: Sample, level: float = LEVEL) -> Estimate:
    """Return a measure of the whole cohort: one of RATIOS or MEANS, with its interval.

    The value is null where the measure is 0/0. The interval is null where a stratum that was not
    drawn whole has fewer than two videos.
    """
    names = MEANS.get(name, (name,))
    groups = _groups(sample)
    parts = [_ratio(each, groups) for each in names]
    values = [ratio.value for ratio in parts]
    if not groups or any(math.isnan(value) for value in values):
        return Estimate(value=None)
    value = math.fsum(values) / len(values)
    if all(group.n >= group.n_cohort for group in groups):
        return Estimate(value=value, low=value, high=value)  # nothing was left undrawn
    df = len(sample.cells) - sample.n_strata
    if df < 1 or any(group.n < 2 and group.n < group.n_cohort for group in groups):
        return Estimate(value=value)
    smoothed = [_smoothed(group) for group in groups]
    t = float(student_quantile(level, df))
    intervals = [
        _wilson(ratio.value, min(ratio.effective(groups), more.effective(smoothed)), t)
        for ratio, more in zip(parts, (_ratio(each, smoothed) for each in names), strict=True)
    ]
    if len(parts) == 1:
        return _estimate(value, *intervals[0])
    return _estimate(value, *_mean_of_two(value, parts, intervals, smoothed))


def _estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, too_few=high - low > WIDEST)


def _groups(sample: Sample) -> list[_Group]:
    found = []
    for h in range(sample.n_strata):
        here = sample.stratum == h
        found.append(
            _Group(
                counts=sample.cells[here].sum(axis=0),
                n=float(here.sum()),
                n_cohort=float(max(sample.n_cohort[h], here.sum())),
            )
        )
    return [group for group in found if group.n]


def _smoothed(group: _Group) -> _Group:
    """Return a group with ½ more A/H and ½ more not A/H among its Yes, and among its No.

    The number that was drawn stays as it is: it tells how much is known.
    """
    tp, fp, fn, tn = group.counts
    yes, no = (0.5 if tp + fp else 0.0), (0.5 if fn + tn else 0.0)
    return _Group(
        counts=group.counts + np.array([yes, yes, no, no]), n=group.n, n_cohort=group.n_cohort
    )


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A ratio of two totals, and what one more video in each cell would change of it."""

    value: float  # NaN for 0/0
    influence: Floats  # [4]

    def effective(self, groups: list[_Group]) -> float:
        """Return the effective number of videos behind it."""
        variance = _covariance(self.influence, self.influence, groups)
        return self.value * (1 - self.value) / variance if variance > 0 else math.inf


def _ratio(name: str, groups: list[_Group]) -> _Ratio:
    above, below = (np.array(part, float) for part in RATIOS[name])
    total = np.zeros(4)
    for group in groups:
        total += group.n_cohort * group.counts / group.counts.sum()
    whole = float(below @ total)
    if whole <= 0:
        return _Ratio(math.nan, np.zeros(4))
    value = float(above @ total) / whole
    return _Ratio(value, (above - value * below) / whole)


def _covariance(one: Floats, other: Floats, groups: list[_Group]) -> float:
    """Return the covariance of two linearised measures, with the finite-population correction."""
    covariance = 0.0
    for group in groups:
        share = group.counts / group.counts.sum()
        spread = float(((one - one @ share) * (other - other @ share)) @ share)
        undrawn = max(1 - group.n / group.n_cohort, 0)
        covariance += undrawn * group.n_cohort**2 * spread / max(group.n - 1, 1)
    return covariance


def _mean_of_two(
    value: float,
    parts: list[_Ratio],
    intervals: list[tuple[float, float]],
    groups: list[_Group],
) -> tuple[float, float]:
    """Return the interval of the mean of two ratios from theirs (MOVER, Zou and Donner 2008)."""
    one, other = (part.influence for part in parts)
    spread = math.sqrt(_covariance(one, one, groups) * _covariance(other, other, groups))
    r = min(max(_covariance(one, other, groups) / spread, -1.0), 1.0) if spread > 0 else 0.0
    below = [part.value - low for part, (low, _) in zip(parts, intervals, strict=True)]
    above = [high - part.value for part, (_, high) in zip(parts, intervals, strict=True)]
    down, up = (math.sqrt(max(g**2 + k**2 + 2 * r * g * k, 0.0)) / 2 for g, k in (below, above))
    return max(value - down, 0.0), min(value + up, 1.0)


def _wilson(value: float, m: float, t: float) -> tuple[float, float]:
    """Return Wilson's interval of a share `value` of `m` videos, `t` standard errors wide."""
    if math.isinf(m):
        return value, value
    k = max(m, 1e-9) / t**2
    centre = (value + 1 / (2 * k)) / (1 + 1 / k)
    half = math.sqrt(value * (1 - value) / k + 1 / (4 * k**2)) / (1 + 1 / k)
    return min(max(centre - half, 0.0), value), max(min(centre + half, 1.0), value)
