"""Two outputs on the same videos: how far apart they are, and how sure that is. Pure."""

from __future__ import annotations

import math

from ah_ray.study.evaluation.figures.answer_intervals import paired_intervals
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import LEVEL
from ah_ray.study.evaluation.figures.measures import average_precision
from ah_ray.study.evaluation.figures.score_intervals import score_difference
from ah_ray.study.evaluation.predictions import Predictions, count_by_participant
from ah_ray.study.evaluation.schema import Comparison


def compare(
    first: Predictions, second: Predictions, *, names: tuple[str, str], level: float = LEVEL
) -> Comparison | None:
    """Return second − first on the same n videos, without those that one of them did not score.

    The intervals are of the differences themselves, so what is hard for both adds no doubt. None if
    no video has both scores.
    """
    both = first.is_scored & second.is_scored
    if not both.any():
        return None
    a, b = first.only(both), second.only(both)
    answers = paired_intervals(count_by_participant(a), count_by_participant(b), level)
    scores = score_difference(average_precision, a.label, a.p_ah, b.p_ah, a.participant, level)
    right, also = a.yes == a.label, b.yes == b.label
    only_first, only_second = int((right & ~also).sum()), int((also & ~right).sum())
    return Comparison(
        first=names[0],
        second=names[1],
        n_videos=len(a),
        n_participants=a.n_participants,
        accuracy=estimate_of(answers["accuracy"], n=len(a)),
        macro_f1=estimate_of(answers["macro_f1"], n=len(a)),
        average_precision=estimate_of(scores, n=len(a)),
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=mcnemar_p(only_first, only_second),
    )


def mcnemar_p(only_first_right: int, only_second_right: int) -> float:
    """Return the p-value of McNemar's exact test, two-sided.

    min(1, 2·P(X ≤ min(b, c))) with X of Binomial(b + c, ½); 1 where they never disagree.
    """
    n, least = only_first_right + only_second_right, min(only_first_right, only_second_right)
    tail = sum(math.comb(n, k) for k in range(least + 1))
    return min(1.0, float(2 * tail / 2**n))
