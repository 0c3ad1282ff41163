"""What a verdict rests on, in words and as a line in a drawing. Pure."""

from __future__ import annotations

import re

from ah_ray.reduction import Ensemble, Reduction, logit, sigmoid
from ah_ray.results.reducers import SHARE_THRESHOLD
from ah_ray.results.verdict import MORE_THAN_HALF, video_threshold

_WORDS = {
    "any": "the highest of its clips",
    "mean": "the mean of its clips",
    "noisyor": "the chance that at least one of its clips is a Yes, were they independent",
    "share": "the share of its clips that are a Yes",
    "duration": "the mean of its clips, weighted by their length",
}
_ENSEMBLES = {
    Ensemble.VOTE: "the share of several models that say Yes",
    Ensemble.MEAN: "the mean of several models",
    Ensemble.MEAN_LOGIT: "the mean of several models, taken of their logits",
}


def in_words(reduction: Reduction) -> str:
    """How a video's score follows from its clips: `the highest of its clips`."""
    if reduction.members:
        return f"{_ENSEMBLES[reduction.ensemble]}, each by its own calibration"
    of_one = _WORDS.get(reduction.reducer)
    if of_one is None and (found := re.fullmatch(r"topk(\d+)", reduction.reducer)):
        of_one = f"the mean of its {found[1]} highest clips"
    if of_one is None:
        of_one = f"its clips by the reducer {reduction.reducer}"
    if reduction.scaling is not None:
        of_one += ", scaled by a calibration"
    if reduction.ensemble is None:
        return of_one
    return f"{_ENSEMBLES[reduction.ensemble]}, each scoring the video by {of_one}"


def yes_from(threshold: float) -> str:
    """`Yes from 0.5 on`; of a vote, whose tie is a No, `Yes above 0.5`."""
    return "Yes above 0.5" if threshold == MORE_THAN_HALF else f"Yes from {threshold:.3g} on"


def clip_threshold(reduction: Reduction) -> float | None:
    """From which p_ah on a clip is a Yes, where one number tells: a calibration is taken back."""
    if reduction.ensemble is Ensemble.VOTE:
        return video_threshold(reduction)
    if reduction.reducer == "share":
        return SHARE_THRESHOLD
    scaling, threshold = reduction.scaling, reduction.threshold
    if reduction.ensemble is not None or scaling is None:
        return threshold
    if threshold in (0, 1):
        return threshold
    return sigmoid((logit(threshold) - scaling.intercept) / scaling.slope)
