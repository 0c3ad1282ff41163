"""Whether probabilities mean what they say: how to measure it, and how to fit it. Pure.

    ece  Σ over 5 bins of n_b/n · (2·|d_b| − E|N(d_b, s_b)|), at least 0

where d_b is the share of A/H less the mean p of a bin, and s_b² = ȳ(1 − ȳ)/n_b. The bins hold
equally many videos. The second term takes away what chance alone adds to |d_b|: without it, the
fewer videos there are, the larger the error of a perfect model looks (Bröcker 2012; Kumar 2019;
Roelofs 2022).

A scaling is fitted by maximum likelihood to Platt's (1999) targets instead of 1 and 0:
(n₁+1)/(n₁+2) for A/H, 1/(n₀+2) for the others, which keeps it finite where scores part the labels
without fault. Platt's scaling is the default: the reducer `any` takes a maximum over clips, which
moves the intercept, and temperature scaling has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.calibration_intervals import (
    Numbers,
    logits,
    sum_by_participant,
)
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import LEVEL, share_interval
from ah_ray.study.evaluation.figures.measures import Floats, Labels
from ah_ray.study.evaluation.settings import ScalingKind
from ah_ray.verdicts.reduction import IsotonicScaling, Scaling

N_BINS = 5
_CELLS = 2_000_000  # numbers held at once
_MAX_STEPS, _ENOUGH = 100, 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One point of a calibration curve; bins hold about equally many videos."""

    low: float  # the lowest p_ah in it
    high: float  # the highest
    n: int
    mean_p: float
    share_ah: float
    share_low: float | None = None  # interval of share_ah, over participants
    share_high: float | None = None


def bin_numbers(p_ah: Floats, n_bins: int = N_BINS) -> npt.NDArray[np.int64]:
    """Return the bin of each video [n], from 0 on; equal scores are in the same bin."""
    edges = np.unique(np.quantile(p_ah, np.arange(1, n_bins) / n_bins, method="lower"))
    _, numbers = np.unique(np.searchsorted(edges, p_ah, side="left"), return_inverse=True)
    return numbers.astype(np.int64)


def calibration_curve(
    label: Labels, p_ah: Floats, participant: Numbers, level: float = LEVEL
) -> tuple[Bin, ...]:
    """Return the share of A/H against the mean p_ah of each bin; n ≥ 1 in all."""
    numbers = bin_numbers(p_ah)
    bins = []
    for number in range(int(numbers.max()) + 1):
        here = numbers == number
        n_ah = sum_by_participant(label[here].astype(np.float64), participant[here])
        n = sum_by_participant(np.ones(int(here.sum())), participant[here])
        share = estimate_of(share_interval(n_ah, n, level))
        bins.append(
            Bin(
                low=float(p_ah[here].min()),
                high=float(p_ah[here].max()),
                n=int(here.sum()),
                mean_p=float(p_ah[here].mean()),
                share_ah=float(label[here].mean()),
                share_low=share.low,
                share_high=share.high,
            )
        )
    return tuple(bins)


def expected_calibration_error(label: Labels, p_ah: Floats) -> float:
    """Return the debiased error of n videos, from 0 to 1; the formula is above."""
    return float(_errors(label[None, :].astype(np.float64), p_ah)[0])


def error_if_perfect(p_ah: Floats, bootstrap: Bootstrap) -> float:
    """Return the mean error that perfectly calibrated scores like these would show by chance.

    Labels are drawn from the scores themselves, `bootstrap.draws` times.
    """
    random = np.random.default_rng(bootstrap.seed)
    at_once = max(1, _CELLS // len(p_ah))
    errors = [
        _errors((random.random((rows, len(p_ah))) < p_ah).astype(np.float64), p_ah)
        for rows in (
            min(at_once, bootstrap.draws - done) for done in range(0, bootstrap.draws, at_once)
        )
    ]
    return float(np.concatenate(errors).mean())


def _errors(label: Floats, p_ah: Floats) -> Floats:
    """Return the error [draws] of labels [draws, n]."""
    numbers = bin_numbers(p_ah)
    member = (numbers[:, None] == np.arange(int(numbers.max()) + 1)).astype(np.float64)
    n = member.sum(axis=0)
    share = label @ member / n
    off = np.abs(share - p_ah @ member / n)
    spread = np.sqrt(share * (1 - share) / n)
    ratio = np.minimum(off / np.maximum(spread, 1e-9), 40.0)  # from there on, chance adds nothing
    by_chance = spread * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2)
    by_chance = by_chance + off * _erf(ratio / math.sqrt(2))
    return np.asarray(np.maximum(((2 * off - by_chance) * n / n.sum()).sum(axis=1), 0.0))


def _erf(x: Floats) -> Floats:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))


def fit_scaling(kind: ScalingKind, label: Labels, p_ah: Floats) -> Scaling | IsotonicScaling | None:
    """Return the scaling that fits label [n] and p_ah [n] best.

    None for NONE, and if the scores do not rise with A/H, so that no positive slope is better than
    none at all.
    """
    if kind is ScalingKind.NONE:
        return None
    if kind is ScalingKind.ISOTONIC:
        return _fit_isotonic(label, p_ah)
    x = logits(p_ah)
    design = np.stack([x, np.ones_like(x)], axis=1)[
        :, : 1 if kind is ScalingKind.TEMPERATURE else 2
    ]
    n_ah = label.sum()
    target = np.where(label, (n_ah + 1) / (n_ah + 2), 1 / (len(label) - n_ah + 2))
    found = fit_logistic(design, target)
    if found[0] <= _ENOUGH:
        return None
    return Scaling(slope=float(found[0]), intercept=float(found[1]) if len(found) > 1 else 0.0)


def _fit_isotonic(label: Labels, p_ah: Floats) -> IsotonicScaling | None:
    """Return the curve that never falls and has the least squared error; None if it is level.

    Neighbouring scores whose shares of A/H fall are pooled until none do (Ayer et al. 1955).
    """
    at, number = np.unique(p_ah, return_inverse=True)
    n, n_ah = np.bincount(number).tolist(), np.bincount(number, label).tolist()
    blocks: list[tuple[float, float, float, float]] = []  # n, n_ah, first p, last p
    for p, count, ah in zip(at.tolist(), n, n_ah, strict=True):
        block = (float(count), float(ah), p, p)
        while blocks and blocks[-1][1] * block[0] >= block[1] * blocks[-1][0]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2], block[3])
        blocks.append(block)
    if len(blocks) < 2:
        return None
    points = {p: ah / count for count, ah, first, last in blocks for p in (first, last)}
    return IsotonicScaling(p=tuple(points), value=tuple(points.values()))


def fit_logistic(design: Floats, target: Floats, ridge: float = 0.0) -> Floats:
    """Return the weights [k] of a logistic regression on design [n, k] to targets in [0, 1].

    `ridge` is the weight of Σ weights²/2, which keeps them finite where a column parts the targets
    without fault. A step that makes the loss worse is halved; the loss is convex, so this ends at
    its least.
    """

    def loss(weights: Floats) -> float:
        z = design @ weights
        fit = float(np.logaddexp(0, z).sum() - target @ z)
        return fit + ridge / 2 * float(weights @ weights)

    weights = np.zeros(design.shape[1])
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -500, 500)))
        slope = design.T @ (p - target) + ridge * weights
        bend = (design * (p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(bend + (ridge + 1e-12) * np.eye(len(weights)), slope)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > _ENOUGH:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() <= _ENOUGH:
            break
    return weights
