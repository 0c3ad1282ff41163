"""How good answers and scores are, as numbers. Pure, and for many draws of a bootstrap at once.

With tp the A/H videos that are a Yes, fp the others that are, fn the A/H videos that are a No and
tn the others:

    accuracy      (tp + tn) / (tp + fp + fn + tn)
    f1_ah         2·tp / (2·tp + fp + fn)
    f1_not_ah     2·tn / (2·tn + fp + fn)
    macro_f1      (f1_ah + f1_not_ah) / 2
    weighted_f1   ((tp + fn)·f1_ah + (tn + fp)·f1_not_ah) / (tp + fp + fn + tn)
    precision_ah  tp / (tp + fp)
    recall_ah     tp / (tp + fn)

What would be 0/0 is 0, as in scikit-learn with zero_division=0.
"""

from __future__ import annotations

import numpy as np

THRESHOLDS = np.arange(0, 1, 0.001)
"""The field's own sweep: 0, 0.001, …, 0.999."""


def confusions(label: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """[n, 4] float64 of tp, fp, fn, tn: one 1 in each row, so that sums of rows are counts.

    label, yes: [n] bool.
    """
    return np.stack([label & yes, ~label & yes, label & ~yes, ~label & ~yes], -1).astype(float)


def answer_measures(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Each measure [...] of counts [..., 4] of tp, fp, fn, tn. The formulas are above."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, float), -1, 0)
    f1_ah, f1_not_ah = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    n = tp + fp + fn + tn
    return {
        "accuracy": _ratio(tp + tn, n),
        "macro_f1": (f1_ah + f1_not_ah) / 2,
        "weighted_f1": _ratio((tp + fn) * f1_ah + (tn + fp) * f1_not_ah, n),
        "f1_ah": f1_ah,
        "f1_not_ah": f1_not_ah,
        "precision_ah": _ratio(tp, tp + fp),
        "recall_ah": _ratio(tp, tp + fn),
    }


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=b > 0)


def average_precision(label: np.ndarray, p_ah: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σₖ (Rₖ − Rₖ₋₁)·Pₖ over all distinct scores, from the highest: exact, not interpolated.

    Rₖ and Pₖ are recall and precision where all from the k-th score on are a Yes; scikit-learn's
    average_precision_score. label [n] bool, p_ah [n], weights [draws, n] (how often each is
    drawn) → [draws]; NaN where no A/H is drawn.
    """
    order = np.argsort(-p_ah, kind="stable")
    last_of_its_score = np.append(np.diff(p_ah[order]) != 0, True)[: len(p_ah)]
    tp, n_yes = _cumulated(label[order], weights[:, order], last_of_its_score)
    gained = np.diff(tp, axis=1, prepend=0.0)
    return _over_positives((gained * _ratio(tp, n_yes)).sum(axis=1), tp[:, -1])


def average_precision_1000(label: np.ndarray, p_ah: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The area under precision over recall at THRESHOLDS, by trapezoids: the field's own form.

    At each threshold t a video is a Yes iff p_ah ≥ t; precision is 0 where none is. As the data
    set's bah_metrics.py computes it. Shapes, and NaN, as for `average_precision`.
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


def _cumulated(
    label: np.ndarray, weights: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[draws, sum(at)] how many A/H, and how many in all, up to each place."""
    return np.cumsum(weights * label, axis=1)[:, at], np.cumsum(weights, axis=1)[:, at]


def _over_positives(area: np.ndarray, n_ah: np.ndarray) -> np.ndarray:
    return np.divide(area, n_ah, out=np.full(area.shape, np.nan), where=n_ah > 0)
