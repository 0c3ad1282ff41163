"""Thresholds that are fitted to labels: the answer is Yes iff p_ah ≥ threshold. Pure.

A threshold lies between two neighbouring scores. Of those that are equally good, the one nearest to
0.5 is taken, so that the result does not depend on the order of the videos.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ah_ray.study.evaluation.figures.measures import Floats, Labels, answer_measures
from ah_ray.study.evaluation.settings import Threshold

_LOSSES: dict[Threshold, Callable[[Floats], Floats]] = {
    Threshold.MACRO_F1: lambda counts: -answer_measures(counts)["macro_f1"],
    Threshold.BASE_RATE: lambda counts: np.abs(counts[:, 1] - counts[:, 2]),
}
"""What each rule makes as small as it can, from tp, fp, fn, tn [m, 4] of every cut.

A new rule, such as Youden's, is one entry here and one in `Threshold`.
"""

_NEAR = 0.1  # of the distance between two scores
_MOST_PLACES = 18  # decimal places that a float64 below 1 may need


def fit_threshold(how: Threshold, label: Labels, p_ah: Floats) -> float:
    """Return a threshold in [0, 1] that fits label [n] and p_ah [n] best; n ≥ 1; not for FIXED.

    It lies near the middle of two neighbouring scores, and has as few decimal places as it can have
    there, so that what is printed is short and gives the same answers.
    """
    low, high, counts = _cuts(label, p_ah)
    places = (low + high) / 2
    places[0] = min(high[0], 0.5)
    loss = _LOSSES[how](counts)
    best = np.flatnonzero(loss <= loss.min() + 1e-12)
    one = best[np.argmin(np.abs(places[best] - 0.5))]
    return shortest_between(float(low[one]), float(high[one]), float(places[one]))


def shortest_between(low: float, high: float, wanted: float) -> float:
    """Return `wanted`, rounded to few decimal places; low < t ≤ high holds before and after."""
    for places in range(_MOST_PLACES):
        found = round(wanted, places) + 0.0  # never −0
        if low < found <= high and abs(found - wanted) <= _NEAR * (high - low):
            return found
    return wanted if low < wanted <= high else high


def _cuts(label: Labels, p_ah: Floats) -> tuple[Floats, Floats, Floats]:
    """Return all cuts that differ: low [m] and high [m], and tp, fp, fn, tn [m, 4] of each.

    A threshold t of a cut has low < t ≤ high. The first cut answers Yes to all videos, and the last
    to none, unless the highest score is 1, which is Yes at any threshold.
    """
    scores = np.unique(p_ah)
    low, high = np.concatenate([[-1.0], scores]), np.concatenate([scores, [1.0]])
    if scores[-1] >= 1:
        low, high = low[:-1], high[:-1]
    low[0] = -5e-324 if scores[0] <= 0 else 0.0  # a threshold of 0 is Yes to all
    ah, others = np.sort(p_ah[label]), np.sort(p_ah[~label])
    tp, fp = (len(each) - np.searchsorted(each, high, side="left") for each in (ah, others))
    if scores[-1] < 1:  # the last cut lies above all scores
        tp[-1] = fp[-1] = 0
    return low, high, np.stack([tp, fp, len(ah) - tp, len(others) - fp], axis=-1).astype(np.float64)
