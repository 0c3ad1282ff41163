"""Probabilities that mean what they say: how to measure it, and how to fit it. Pure.

    brier     mean of (p − y)²
    log_loss  mean of −y·log p − (1 − y)·log(1 − p)
    ece       Σ over bins of n_bin/n · |share of A/H − mean p|, in 10 bins of equal width

A scaling is fitted by maximum likelihood, to Platt's (1999) targets instead of 1 and 0:
(n₁+1)/(n₁+2) for A/H, 1/(n₀+2) for the others, which keeps it finite where scores part the labels
without fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ah_ray.reduction import Scaling, logit

N_BINS = 10
_MAX_STEPS, _ENOUGH = 100, 1e-10


class ScalingKind(StrEnum):
    """How probabilities are scaled."""

    NONE = "none"
    TEMPERATURE = "temperature"  # slope 1/T
    PLATT = "platt"  # slope and intercept


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One point of a reliability diagram; `mean_p` and `share_ah` are null where n is 0."""

    low: float  # p_ah ≥ low
    high: float  # p_ah < high; the last bin holds 1 too
    n: int
    mean_p: float | None
    share_ah: float | None


def reliability(label: np.ndarray, p_ah: np.ndarray, n_bins: int = N_BINS) -> tuple[Bin, ...]:
    """Of equal width, from 0 to 1. label [n] bool, p_ah [n]."""
    number = np.minimum((p_ah * n_bins).astype(int), n_bins - 1)
    bins = []
    for i in range(n_bins):
        here = number == i
        n = int(here.sum())
        bins.append(
            Bin(
                low=i / n_bins,
                high=(i + 1) / n_bins,
                n=n,
                mean_p=float(p_ah[here].mean()) if n else None,
                share_ah=float(label[here].mean()) if n else None,
            )
        )
    return tuple(bins)


def ece(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error (Naeini et al. 2015) of a reliability diagram; n ≥ 1 in all."""
    n = sum(each.n for each in bins)
    return sum(each.n / n * abs(each.share_ah - each.mean_p) for each in bins if each.n)


def log_losses(label: np.ndarray, p_ah: np.ndarray) -> np.ndarray:
    """[n] of each video; finite also for p of 0 and 1 (reduction.logit)."""
    x = _logits(p_ah)
    return np.logaddexp(0, np.where(label, -x, x))


def fit_scaling(kind: ScalingKind, label: np.ndarray, p_ah: np.ndarray) -> Scaling | None:
    """By Newton's method from these videos alone; label [n] bool, p_ah [n].

    None if the scores do not rise with A/H, so that no positive slope is better than none at all;
    and for NONE.
    """
    if kind is ScalingKind.NONE:
        return None
    x = _logits(p_ah)
    design = np.stack([x, np.ones_like(x)], axis=1)[
        :, : 1 if kind is ScalingKind.TEMPERATURE else 2
    ]
    n_ah = label.sum()
    target = np.where(label, (n_ah + 1) / (n_ah + 2), 1 / (len(label) - n_ah + 2))
    found = _maximum_likelihood(design, target)
    if found[0] <= _ENOUGH:
        return None
    return Scaling(slope=float(found[0]), intercept=float(found[1]) if len(found) > 1 else 0.0)


def _maximum_likelihood(design: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[k] weights of a logistic regression on design [n, k] to targets in (0, 1).

    A step that makes the loss worse is halved; the loss is convex, so this ends at its least.
    """

    def loss(weights: np.ndarray) -> float:
        z = design @ weights
        return float(np.logaddexp(0, z).sum() - target @ z)

    weights = np.zeros(design.shape[1])
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -500, 500)))
        slope = design.T @ (p - target)
        bend = (design * (p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(bend + 1e-12 * np.eye(len(weights)), slope)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > _ENOUGH:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() <= _ENOUGH:
            break
    return weights


def _logits(p_ah: np.ndarray) -> np.ndarray:
    return np.array([logit(p) for p in p_ah.tolist()])
