"""Two outputs on the same videos: how far apart they are, and how sure that is. Pure."""

from __future__ import annotations

import math

import numpy as np

from ah_ray.study.evaluation.bootstrap import Bootstrap, of_counts, of_weights
from ah_ray.study.evaluation.contents import Comparison
from ah_ray.study.evaluation.judged import Judged
from ah_ray.study.evaluation.measures import answer_measures, average_precision, confusions


def compare(
    first: Judged, second: Judged, bootstrap: Bootstrap, *, names: tuple[str, str]
) -> Comparison | None:
    """`first` and `second` are the same n videos; those that one did not score are left out.

    Each draw of participants gives one difference, so what is hard for both is not counted as
    doubt. None if no video has both.
    """
    both = first.is_scored & second.is_scored
    if not both.any():
        return None
    a, b = first.only(both), second.only(both)
    counts = np.hstack([confusions(a.label, a.yes), confusions(b.label, b.yes)])
    differences = of_counts(_differences, counts, a.participant, bootstrap)
    right, also = a.yes == a.label, b.yes == b.label
    only_first, only_second = int((right & ~also).sum()), int((also & ~right).sum())
    return Comparison(
        first=names[0],
        second=names[1],
        n_videos=len(a),
        n_participants=a.n_participants,
        accuracy=differences["accuracy"],
        macro_f1=differences["macro_f1"],
        average_precision=of_weights(
            lambda weights: (
                average_precision(b.label, b.p_ah, weights)
                - average_precision(a.label, a.p_ah, weights)
            ),
            a.participant,
            bootstrap,
        ),
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=mcnemar_p(only_first, only_second),
    )


def _differences(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Of counts [..., 8]: tp, fp, fn, tn of the first, then of the second."""
    a, b = answer_measures(counts[..., :4]), answer_measures(counts[..., 4:])
    return {name: b[name] - a[name] for name in ("accuracy", "macro_f1")}


def mcnemar_p(only_first_right: int, only_second_right: int) -> float:
    """How likely so uneven a split is by chance: McNemar's exact test, two-sided.

    min(1, 2·P(X ≤ min(b, c))) with X of Binomial(b + c, ½); 1 where they never disagree.
    """
    n, least = only_first_right + only_second_right, min(only_first_right, only_second_right)
    tail = sum(math.comb(n, k) for k in range(least + 1))
    return min(1.0, 2 * tail / 2**n)
