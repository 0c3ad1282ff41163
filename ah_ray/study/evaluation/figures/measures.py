"""How good answers and scores are, as numbers. Pure, and for many cohorts or weights at once.

tp is the number of A/H videos with the answer Yes, fp that of the others with Yes, fn that of A/H
videos with No, and tn that of the others with No:

    accuracy      (tp + tn) / (tp + fp + fn + tn)
    f1_ah         2·tp / (2·tp + fp + fn)
    f1_not_ah     2·tn / (2·tn + fp + fn)
    macro_f1      (f1_ah + f1_not_ah) / 2
    weighted_f1   ((tp + fn)·f1_ah + (tn + fp)·f1_not_ah) / (tp + fp + fn + tn)
    precision_ah  tp / (tp + fp)             positive predictive value
    npv           tn / (tn + fn)             negative predictive value
    recall_ah     tp / (tp + fn)             sensitivity
    specificity   tn / (tn + fp)
    balanced_accuracy  (recall_ah + specificity) / 2
    rate_of_yes   (tp + fp) / (tp + fp + fn + tn)

Reported figures come from answer_intervals.py, where 0/0 is not defined. Here 0/0 is 0, as in
scikit-learn with zero_division=0, so that thresholds and models can be chosen by a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]

THRESHOLDS = np.arange(0, 1, 0.001)
"""The field's own sweep: 0, 0.001, …, 0.999."""


def confusions(label: Labels, yes: Labels) -> Floats:
    """Return tp, fp, fn, tn [n, 4] of each video: one 1 in each row, so sums of rows are counts.

    label, yes: [n].
    """
    return np.stack([label & yes, ~label & yes, label & ~yes, ~label & ~yes], -1).astype(float)


def answer_measures(counts: npt.ArrayLike) -> dict[str, Floats]:
    """Return each measure [...] of counts [..., 4] of tp, fp, fn, tn; the formulas are above."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, float), -1, 0)
    f1_ah, f1_not_ah = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    n = tp + fp + fn + tn
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    return {
        "accuracy": _ratio(tp + tn, n),
        "macro_f1": (f1_ah + f1_not_ah) / 2,
        "weighted_f1": _ratio((tp + fn) * f1_ah + (tn + fp) * f1_not_ah, n),
        "f1_ah": f1_ah,
        "f1_not_ah": f1_not_ah,
        "precision_ah": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "recall_ah": recall,
        "specificity": specificity,
        "balanced_accuracy": (recall + specificity) / 2,
        "rate_of_yes": _ratio(tp + fp, n),
    }


def _ratio(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=b > 0)


def average_precision(label: Labels, p_ah: Floats, weights: Floats) -> Floats:
    """Return Σₖ (Rₖ − Rₖ₋₁)·Pₖ over all distinct scores, from the highest: exact, not interpolated.

    Rₖ and Pₖ are recall and precision where the answer is Yes from the k-th score on; the same as
    scikit-learn's average_precision_score. label [n], p_ah [n], weights [draws, n] (how often each
    video counts) → [draws]; NaN where no A/H video counts.
    """
    order = np.argsort(-p_ah, kind="stable")
    last_of_its_score = np.append(np.diff(p_ah[order]) != 0, True)[: len(p_ah)]
    tp, n_yes = _cumulated(label[order], weights[:, order], last_of_its_score)
    gained = np.diff(tp, axis=1, prepend=0.0)
    return _over_positives((gained * _ratio(tp, n_yes)).sum(axis=1), tp[:, -1])


def average_precision_1000(label: Labels, p_ah: Floats, weights: Floats) -> Floats:
    """Return the area under precision over recall at THRESHOLDS, by trapezoids.

    This is the field's own form, as the data set's bah_metrics.py computes it: at each threshold t
    the answer is Yes iff p_ah ≥ t, and precision is 0 where no answer is Yes. Shapes and NaN are
    as for `average_precision`.
    """
    n_reached = np.searchsorted(THRESHOLDS, p_ah, side="right")  # of the thresholds
    order = np.argsort(-n_reached, kind="stable")
    tp, n_yes = _cumulated(label[order], weights[:, order], np.ones(len(order), bool))
    zero = np.zeros((len(weights), 1))
    tp, n_yes = np.hstack([zero, tp]), np.hstack([zero, n_yes])
    n_videos = np.searchsorted(-n_reached[order], -np.arange(1, len(THRESHOLDS) + 1), side="right")
    precision, recalled = _ratio(tp, n_yes)[:, n_videos], tp[:, n_videos]
    area = -((precision[:, 1:] + precision[:, :-1]) / 2 * np.diff(recalled, axis=1)).sum(axis=1)
    return _over_positives(area + 0.0, tp[:, -1])  # never −0


def auroc(label: Labels, p_ah: Floats, weights: Floats) -> Floats:
    """Return the area under the receiver operating characteristic curve.

    It is the probability that an A/H video has a higher score than another one, where equal scores
    count half; the same as scikit-learn's roc_auc_score. Shapes as for `average_precision`; NaN
    where one of the labels does not occur.
    """
    order = np.argsort(p_ah, kind="stable")
    first_of_its_score = np.flatnonzero(np.diff(p_ah[order], prepend=-np.inf) != 0)
    sums = np.add.reduceat(weights[:, order] * label[order], first_of_its_score, axis=1)
    others = np.add.reduceat(weights[:, order] * ~label[order], first_of_its_score, axis=1)
    below = np.cumsum(others, axis=1) - others / 2
    return _over_positives((sums * below).sum(axis=1), sums.sum(axis=1) * others.sum(axis=1))


def _cumulated(label: Labels, weights: Floats, at: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return how many A/H videos, and how many in all, come up to each place: [draws, sum(at)]."""
    return np.cumsum(weights * label, axis=1)[:, at], np.cumsum(weights, axis=1)[:, at]


def _over_positives(area: Floats, n: Floats) -> Floats:
    return np.asarray(np.divide(area, n, out=np.full(area.shape, np.nan), where=n > 0))
