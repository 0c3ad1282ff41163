"""The measures of answers, each with its interval. Pure.

Counts are of participants: tp, fp, fn, tn of each. Formulas of the measures are in measures.py, of
the intervals in intervals.py. F1 of a class is not defined where no video has that label.
"""

from __future__ import annotations

import numpy as np

from ah_ray.study.evaluation.figures.estimate import Estimate, estimate_of
from ah_ray.study.evaluation.figures.intervals import (
    LEAST_CORRELATION,
    LEVEL,
    Interval,
    average_interval,
    difference_interval,
    divide,
    effective_number,
    most_effective,
    paired_difference,
    ratio_influence,
    share_interval,
    wilson,
)
from ah_ray.study.evaluation.figures.measures import Labels
from ah_ray.study.evaluation.figures.student import Floats, student_quantile

RATES = ("recall_ah", "specificity", "precision_ah", "npv", "rate_of_yes")
"""The measures that can be compared between groups whose shares of A/H differ."""


def shares_of(counts: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return numerator and denominator [..., participants] of each measure that is a share.

    counts [..., participants, 4] of tp, fp, fn, tn.
    """
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    return {
        "accuracy": (tp + tn, tp + fp + fn + tn),
        "recall_ah": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision_ah": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "rate_of_yes": (tp + fp, tp + fp + fn + tn),
    }


def f1_parts(counts: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return 2·tp and 2·tp + fp + fn [..., participants], and the same of the other class."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    has_ah = (tp + fn).sum(axis=-1, keepdims=True) > 0
    has_others = (tn + fp).sum(axis=-1, keepdims=True) > 0
    return {
        "f1_ah": (2 * tp, np.where(has_ah, 2 * tp + fp + fn, 0)),
        "f1_not_ah": (2 * tn, np.where(has_others, 2 * tn + fp + fn, 0)),
    }


def answer_intervals(
    counts: Floats, level: float = LEVEL, correlation: float = LEAST_CORRELATION
) -> dict[str, Interval]:
    """Return the interval of each measure of answers; counts [..., participants, 4]."""
    parts = shares_of(counts) | f1_parts(counts)
    found = {name: share_interval(a, b, level, correlation) for name, (a, b) in parts.items()}
    found["macro_f1"] = average_interval(found["f1_ah"], found["f1_not_ah"])
    found["balanced_accuracy"] = average_interval(found["recall_ah"], found["specificity"])
    found["weighted_f1"] = _weighted_f1(counts, level, correlation)
    return found


def _weighted_f1(counts: Floats, level: float, correlation: float) -> Interval:
    """Return weighted F1 with Wilson's interval; its variance is that of leaving one person out."""
    n = counts.sum(axis=-1)
    whole = counts.sum(axis=-2, keepdims=True)
    value = _weighted_f1_of(whole)[..., 0]
    influence = leave_one_out_influence(_weighted_f1_of(whole - counts), n > 0)
    _, df, n_people = ratio_influence(np.zeros_like(n), n, np.zeros_like(value))
    cap = most_effective(n, correlation)
    n_eff = effective_number(value, (influence**2).sum(axis=-1), cap)
    low, high = wilson(value, n_eff, student_quantile(level, df))
    return Interval(value=value, low=low, high=high, n_people=n_people, influence=influence, df=df)


def _weighted_f1_of(counts: Floats) -> Floats:
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    ah = np.nan_to_num(divide(2 * tp, 2 * tp + fp + fn)) * (tp + fn)
    others = np.nan_to_num(divide(2 * tn, 2 * tn + fp + fn)) * (tn + fp)
    return divide(ah + others, tp + fp + fn + tn)


def leave_one_out_influence(left_out: Floats, counts_at_all: Floats) -> Floats:
    """Return the influences [..., participants] whose squares add up to the jackknife's variance.

    left_out [..., participants] is the figure without each participant; counts_at_all
    [..., participants] says who has videos. NaN where the figure is not defined then.
    """
    m = counts_at_all.sum(axis=-1, keepdims=True)
    known = np.where(counts_at_all > 0, left_out, 0.0)
    mean = divide(known.sum(axis=-1, keepdims=True), m)
    scale = np.sqrt(np.maximum(divide(m - 1, m), 0))
    return np.asarray(np.where(counts_at_all > 0, (mean - left_out) * scale, 0.0))


def answer_estimates(
    counts: Floats, level: float = LEVEL, correlation: float = LEAST_CORRELATION
) -> dict[str, Estimate]:
    """Return all measures of answers of one cohort; counts [participants, 4]."""
    totals = {name: (a.sum(), b.sum()) for name, (a, b) in shares_of(counts).items()}
    n = counts.sum()
    found = {}
    for name, interval in answer_intervals(counts, level, correlation).items():
        k, of = totals.get(name, (None, n))
        found[name] = estimate_of(interval, k=k, n=of)
    return found


def paired_intervals(first: Floats, second: Floats, level: float = LEVEL) -> dict[str, Interval]:
    """Return second − first of accuracy and macro-F1 on the same videos.

    first and second [..., participants, 4] are counts of the same participants. For macro-F1 the
    degrees of freedom are those of the class that rests on fewer people.
    """
    n_videos = first.sum(axis=(-1, -2))
    a, b = (
        {
            "accuracy": share_interval(*shares_of(counts)["accuracy"], level),
            "macro_f1": average_interval(
                *(share_interval(*part, level) for part in f1_parts(counts).values())
            ),
        }
        for counts in (first, second)
    )
    return {name: paired_difference(a[name], b[name], n_videos, level) for name in a}


def macro_f1_over_questions(counts: Floats, level: float = LEVEL) -> Interval:
    """Return macro-F1 as the mean over the questions that have both labels.

    counts [..., questions, participants, 4]. NaN where fewer than two questions have both labels.
    The interval is that of `mean_of_shares`, over F1 of both classes in every question.
    """
    labels = np.stack([counts[..., 0] + counts[..., 2], counts[..., 1] + counts[..., 3]], axis=-1)
    has_both = (labels.sum(axis=-2) > 0).all(axis=-1)
    n_questions = has_both.sum(axis=-1)
    counted = counts * has_both[..., None, None]
    n_people = ((labels * has_both[..., None, None]).sum(axis=-3) > 0).sum(axis=-2).min(axis=-1)

    a, b = (np.concatenate(both, axis=-2) for both in zip(*f1_parts(counts).values(), strict=True))
    is_used = np.concatenate([has_both, has_both], axis=-1)  # of both classes
    is_used = is_used & (n_questions > 1)[..., None]
    cap = most_effective(counted.sum(axis=(-1, -3)))
    return mean_of_shares(share_interval(a, b, level), is_used, n_people, cap, level)


def mean_of_shares(
    each: Interval, is_used: Labels, n_people: Floats, cap: Floats, level: float = LEVEL
) -> Interval:
    """Return the mean of those of k shares that are used, of the same participants.

    each [..., k], is_used [..., k]; n_people [...] and cap [...] as in intervals.py. NaN where none
    is used. Each limit is the one that lies further out of two: MOVER's, made of the intervals of
    the shares, whose correlations below 0 count as 0; and Wilson's, with the variance of the mean.
    The first is too narrow where many shares are near 1, the second where each rests on few videos.
    A share that rests on one person may be anything.
    """
    n_used = is_used.sum(axis=-1)
    weight = divide(is_used.astype(np.float64), n_used[..., None])
    value, low, high = each.value, each.low, each.high
    influence = np.nan_to_num(each.influence) * np.nan_to_num(weight)[..., None]
    mean = divide(np.where(is_used, value, 0.0).sum(axis=-1), n_used.astype(np.float64))
    df = np.maximum(n_people - 1.0, 1)
    total = influence.sum(axis=-2)
    n_eff = effective_number(mean, (total**2).sum(axis=-1), cap)
    wilsons = wilson(mean, n_eff, student_quantile(level, df))
    down = np.nan_to_num(value - np.where(np.isnan(low), 0.0, low)) * weight
    up = np.nan_to_num(np.where(np.isnan(high), 1.0, high) - value) * weight
    r = _correlations(influence)
    return Interval(
        value=mean,
        low=np.clip(np.minimum(mean - _combined(down, r), wilsons[0]), 0.0, mean),
        high=np.clip(np.maximum(mean + _combined(up, r), wilsons[1]), mean, 1.0),
        n_people=np.asarray(n_people, np.float64),
        influence=total,
        df=df,
    )


def _correlations(influence: Floats) -> Floats:
    """Return correlations of k figures, at least 0; influence [..., k, participants]."""
    both = np.einsum("...jp,...kp->...jk", influence, influence)
    spread = np.sqrt(np.einsum("...jj->...j", both))
    spread = spread[..., :, None] * spread[..., None, :]
    r = np.divide(both, spread, out=np.zeros(both.shape), where=spread > 0)
    return np.asarray(np.where(np.eye(both.shape[-1], dtype=bool), 1.0, np.maximum(r, 0)))


def _combined(distances: Floats, r: Floats) -> Floats:
    """Return how far a sum may lie on one side: √ΣΣ rⱼₖ·dⱼ·dₖ; distances [..., k]."""
    return np.asarray(np.sqrt(np.einsum("...j,...jk,...k->...", distances, r, distances)))


def group_differences(group: Floats, rest: Floats, level: float = LEVEL) -> dict[str, Interval]:
    """Return group − rest of each of RATES; both [..., participants, 4], of all participants."""
    a, b = shares_of(rest), shares_of(group)
    return {
        name: difference_interval(share_interval(*a[name], level), share_interval(*b[name], level))
        for name in RATES
    }
