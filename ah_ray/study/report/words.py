"""What a verdict rests on, in words, and its numbers in so many digits as it needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ah_ray.reduction import Ensemble, Reduction
from ah_ray.results.verdict import MORE_THAN_HALF

_ALL_DIGITS = 18  # of a float, and one more

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


def clips_in_words(reduction: Reduction) -> str | None:
    """How the scores of clips on the page stand to the calibration of their video's, if it has one.

    They are shown as `calibrated_clip` gives them, so that they compare with the video's.
    """
    if reduction.ensemble is not None or reduction.scaling is None:
        return None
    if reduction.reducer == "share":
        return (
            "Scores of clips are those of the model, before calibration; the video's is after it."
        )
    return (
        "Scores of clips are calibrated as the video's is; clips.parquet has those of the model, "
        "before calibration."
    )


def shown_threshold(threshold: float, scores: Sequence[float] | np.ndarray) -> float:
    """The threshold in as few digits (3 or more) as part these scores just as it does."""
    scores = np.asarray(scores, float)
    if threshold == MORE_THAN_HALF:  # is told as `above 0.5`
        return threshold
    for digits in range(3, _ALL_DIGITS):
        shown = float(f"{threshold:.{digits}g}")
        same = np.array_equal(scores >= shown, scores >= threshold)
        if same and (0 < shown < 1 or shown == threshold):
            return shown
    return threshold


def shown_score(p: float, threshold: float) -> float:
    """A score in as few decimals (3 or more) as put it on its own side of the threshold."""
    for decimals in range(3, _ALL_DIGITS):
        shown = round(p, decimals)
        if (shown >= threshold) == (p >= threshold):
            return shown
    return p


def decimal(value: float) -> str:
    """Without an exponent, and without zeros at the end; that of a vote is 0.5."""
    return np.format_float_positional(0.5 if value == MORE_THAN_HALF else value, trim="-")


def yes_from(threshold: float) -> str:
    """`Yes from 0.5 on`; of a vote, whose tie is a No, `Yes above 0.5`."""
    of = decimal(threshold)
    return f"Yes above {of}" if threshold == MORE_THAN_HALF else f"Yes from {of} on"


def no_for(threshold: float) -> str:
    """What makes a No: `under the threshold of 0.5`, of a vote `0.5 or less`."""
    of = decimal(threshold)
    return f"{of} or less" if threshold == MORE_THAN_HALF else f"under the threshold of {of}"
