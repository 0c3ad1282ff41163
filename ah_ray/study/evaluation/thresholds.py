"""From where on a score is a Yes: thresholds that are fitted to labels. Pure.

Where to cut lies between two neighbouring scores; of places that are equally good, the one nearest
to 0.5 is taken, so that the result does not hang on the order of the videos.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from ah_ray.study.evaluation.measures import answer_measures


class Threshold(StrEnum):
    """How a threshold is found."""

    FIXED = "fixed"  # as it is
    MACRO_F1 = "macro-f1"  # where macro-F1 is highest
    BASE_RATE = "base-rate"  # where the share of Yes comes nearest to the share of A/H


def fit_threshold(how: Threshold, label: np.ndarray, p_ah: np.ndarray) -> float:
    """In [0, 1], from these videos alone. label [n] bool, p_ah [n], n ≥ 1; not for FIXED."""
    places, counts = _cuts(label, p_ah)
    if how is Threshold.MACRO_F1:
        loss = -answer_measures(counts)["macro_f1"]
    else:
        n_yes = counts[:, 0] + counts[:, 1]
        loss = np.abs(n_yes - label.sum())
    best = np.flatnonzero(loss <= loss.min() + 1e-12)
    return float(places[best[np.argmin(np.abs(places[best] - 0.5))]])


def _cuts(label: np.ndarray, p_ah: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[m] all places that differ, and [m, 4] tp, fp, fn, tn at each.

    Everything from 0 on, each midpoint of neighbours, and nothing but what reaches above the
    highest score (1, if that is 1 itself: there it is a Yes everywhere).
    """
    scores = np.unique(p_ah)
    between = (scores[1:] + scores[:-1]) / 2
    # A midpoint may round to the lower of two neighbours, which would then be a Yes.
    between = np.where(between > scores[:-1], between, scores[1:])
    above = np.array([(scores[-1] + 1) / 2]) if scores[-1] < 1 else np.array([])
    places = np.concatenate([[min(scores[0], 0.5)], between, above])
    order = np.sort(p_ah[label]), np.sort(p_ah[~label])
    yes = [len(each) - np.searchsorted(each, places, side="left") for each in order]
    tp, fp = yes
    return places, np.stack([tp, fp, len(order[0]) - tp, len(order[1]) - fp], axis=-1)
