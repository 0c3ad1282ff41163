"""How uncertain it is what a model, or several, answer about a clip. Pure.

    doubt = H(p̄)              of one model
    doubt = (H(p̄) + J) / 2    of several; in bits, from 0 to 1

H(p̄) is the entropy of the answer: 1 where Yes and No are equally probable, 0 where one is certain.
p̄ is the mean over the models of their calibrated probabilities, each shifted in its logit so that
its Yes begins at one half. J = H(p̄) − mean H(p) is how far the models differ, the Jensen–Shannon
divergence of their answers: 0 where they agree, 1 where certain ones contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ah_ray.verdicts.reduction import Reduction, logit, sigmoid
from ah_ray.verdicts.verdict import calibrate_clip, clip_threshold

Floats = NDArray[np.float64]


def measure_doubt(p: Floats) -> Floats:
    """Return the doubt [n] about n clips from the shifted probabilities [n, models].

    NaN stands for a model that has no score; where none has, the doubt is NaN.
    """
    known = ~np.isnan(p)
    n_known = known.sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0/0 is NaN, as it should be
        mean = np.where(known, p, 0.0).sum(axis=1) / n_known
        of_each = np.where(known, _entropy(p), 0.0).sum(axis=1) / n_known
    of_mean = _entropy(mean)
    if p.shape[1] == 1:
        return of_mean
    return np.asarray((of_mean + np.maximum(of_mean - of_each, 0.0)) / 2)


def _entropy(p: Floats) -> Floats:
    """Return the entropy of Yes and No in bits."""
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-(q * np.log2(q) + (1 - q) * np.log2(1 - q)))


def shift_scores(scores: Sequence[float | None], reductions: Sequence[Reduction]) -> list[float]:
    """Return the probabilities of one clip by each model, calibrated and shifted; NaN for None.

    `reductions` are those of the models, each by itself.
    """
    return [
        np.nan if p is None else sigmoid(logit(calibrate_clip(p, one)) - logit(clip_threshold(one)))
        for p, one in zip(scores, reductions, strict=True)
    ]
