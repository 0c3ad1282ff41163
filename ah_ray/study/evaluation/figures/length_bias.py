"""Whether long videos have the answer Yes because they are long. Pure.

With `any`, each further clip is one more chance of a Yes, independent of its content.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.measures import Floats
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.study.evaluation.schema import LengthBand, LengthBias

BANDS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, None))


def measure_length_bias(predictions: Predictions, n_clips: npt.NDArray[np.int64]) -> LengthBias:
    """Return the length bias of scored videos; n_clips [n] of each."""
    return LengthBias(
        bands=tuple(
            _band(low, high, predictions.only(here))
            for low, high in BANDS
            if (here := (n_clips >= low) & (n_clips <= (high or np.inf))).any()
        ),
        rank_correlation=length_correlation(predictions, n_clips),
        of_labels=rank_correlation(n_clips, predictions.label),
    )


def length_correlation(predictions: Predictions, n_clips: npt.NDArray[np.int64]) -> float | None:
    """Return the rank correlation of n_clips and p_ah over videos that are not A/H."""
    return rank_correlation(n_clips[~predictions.label], predictions.p_ah[~predictions.label])


def rank_correlation(a: npt.ArrayLike, b: npt.ArrayLike) -> float | None:
    """Return Spearman's rank correlation, with mean ranks for ties; None if one is constant."""
    first, second = (_ranks(np.asarray(values, np.float64)) for values in (a, b))
    if any(len(each) < 2 or np.ptp(each) == 0 for each in (first, second)):
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Floats) -> Floats:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place])


def _band(low: int, high: int | None, predictions: Predictions) -> LengthBand:
    of_others = predictions.yes[~predictions.label]
    return LengthBand(
        low=low,
        high=high,
        n_videos=len(predictions),
        n_ah=int(predictions.label.sum()),
        share_yes=float(predictions.yes.mean()),
        share_yes_of_not_ah=float(of_others.mean()) if len(of_others) else None,
    )
