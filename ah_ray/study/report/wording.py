"""What a verdict rests on, in words, and its numbers with as many digits as they need. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ah_ray.verdicts.reducers import find_reducer
from ah_ray.verdicts.reduction import Ensemble, Reduction
from ah_ray.verdicts.verdict import MORE_THAN_HALF

_ALL_DIGITS = 18  # one more than a float has

_ENSEMBLES = {
    Ensemble.VOTE: "the share of several models that say Yes",
    Ensemble.MEAN: "the mean of several models",
    Ensemble.MEAN_LOGIT: "the mean of several models, taken of their logits",
}


def describe_reduction(reduction: Reduction) -> str:
    """Return how a video's score follows from its clips: `the highest of its clips`."""
    if reduction.members and reduction.ensemble is not None:
        return f"{_ENSEMBLES[reduction.ensemble]}, each by its own calibration"
    reducer = find_reducer(reduction.reducer)
    of_one = reducer.words if reducer else f"its clips by the reducer {reduction.reducer}"
    if reduction.clip_scaling is not None:
        of_one += ", each scaled by a calibration"
    if reduction.scaling is not None:
        again = " again" if reduction.clip_scaling is not None else ""
        of_one += f", scaled{again} by a calibration"
    if reduction.ensemble is None:
        return of_one
    return f"{_ENSEMBLES[reduction.ensemble]}, each scoring the video by {of_one}"


def describe_clip_scores(reduction: Reduction) -> str | None:
    """Return whether the page's scores of clips are calibrated; None without a calibration.

    They are shown as `calibrate_clip` returns them, so that they compare with the video's.
    """
    scalings = (reduction.clip_scaling, reduction.scaling)
    if reduction.ensemble is not None or not any(scalings):
        return None
    reducer = find_reducer(reduction.reducer)
    is_counted = reducer is not None and reducer.clip_threshold is not None
    if is_counted and reduction.clip_scaling is not None:
        return (
            "Scores of clips are calibrated, and counted so; clips.parquet has those of the model, "
            "before calibration."
        )
    if is_counted:
        return (
            "Scores of clips are those of the model, before calibration; the video's is after it."
        )
    return (
        "Scores of clips are calibrated as the video's is; clips.parquet has those of the model, "
        "before calibration."
    )


def round_threshold(threshold: float, scores: npt.ArrayLike) -> float:
    """Return the threshold with as few digits (3 or more) as divide these scores as it does."""
    values = np.asarray(scores, float)
    if threshold == MORE_THAN_HALF:  # is written as `above 0.5`
        return threshold
    for digits in range(3, _ALL_DIGITS):
        shown = float(f"{threshold:.{digits}g}")
        same = np.array_equal(values >= shown, values >= threshold)
        if same and (0 < shown < 1 or shown == threshold):
            return shown
    return threshold


def round_score(p: float, threshold: float) -> float:
    """Return a score with as few decimals (3 or more) as keep it on its side of the threshold."""
    for decimals in range(3, _ALL_DIGITS):
        shown = round(p, decimals)
        if (shown >= threshold) == (p >= threshold):
            return shown
    return p


def format_decimal(value: float) -> str:
    """Return a number without exponent or final zeros; the threshold of a vote is 0.5."""
    return str(np.format_float_positional(0.5 if value == MORE_THAN_HALF else value, trim="-"))


def describe_yes(threshold: float) -> str:
    """Return `Yes from 0.5 on`; for a vote, whose tie is a No, `Yes above 0.5`."""
    number = format_decimal(threshold)
    return f"Yes above {number}" if threshold == MORE_THAN_HALF else f"Yes from {number} on"


def describe_no(threshold: float) -> str:
    """Return `under the threshold of 0.5`; for a vote `0.5 or less`."""
    number = format_decimal(threshold)
    if threshold == MORE_THAN_HALF:
        return f"{number} or less"
    return f"under the threshold of {number}"
