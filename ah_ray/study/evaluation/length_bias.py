"""Whether long videos are a Yes because they are long. Pure.

With `any`, each further clip is one more chance of a Yes, whatever is in it.
"""

from __future__ import annotations

import numpy as np

from ah_ray.study.evaluation.contents import LengthBand, LengthBias
from ah_ray.study.evaluation.judged import Judged

BANDS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, None))


def length_bias(judged: Judged, n_clips: np.ndarray) -> LengthBias:
    """Of scored videos; n_clips [n] of each."""
    return LengthBias(
        bands=tuple(
            _band(low, high, judged.only(here))
            for low, high in BANDS
            if (here := (n_clips >= low) & (n_clips <= (high or np.inf))).any()
        ),
        rank_correlation=length_correlation(judged, n_clips),
        of_labels=rank_correlation(n_clips, judged.label),
    )


def length_correlation(judged: Judged, n_clips: np.ndarray) -> float | None:
    """Of n_clips and p_ah, over videos that are not A/H: what is left of it is no A/H."""
    return rank_correlation(n_clips[~judged.label], judged.p_ah[~judged.label])


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's, of ranks; equal values share their mean; null if one is constant."""
    ranks = [_ranks(np.asarray(values, float)) for values in (a, b)]
    if any(len(each) < 2 or np.ptp(each) == 0 for each in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]


def _band(low: int, high: int | None, judged: Judged) -> LengthBand:
    of_others = judged.yes[~judged.label]
    return LengthBand(
        low=low,
        high=high,
        n_videos=len(judged),
        n_ah=int(judged.label.sum()),
        share_yes=float(judged.yes.mean()),
        share_yes_of_not_ah=float(of_others.mean()) if len(of_others) else None,
    )
