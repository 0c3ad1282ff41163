"""A video's verdict, formed from its timeline: of one model, or of several. Pure.

Of several models each gives its own verdict by the reducer, its calibration if there is one, and
the threshold; these are combined, over the video and clip by clip:

    vote        the share of Yes; a Yes needs more than half, so a tie is a No
    mean        of the probabilities
    mean-logit  of the logits, log(p/(1−p)), as a probability again

A model that has no score is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ah_ray.config import Ensemble, Reduction
from ah_ray.reduction import Scaling, logit, sigmoid
from ah_ray.results.reducers import (
    SHARE_THRESHOLD,
    YES,
    answer,
    clip_answer,
    reduce_scores,
    scaled,
)

MORE_THAN_HALF = math.nextafter(0.5, 1)
"""The threshold of a vote: the least number above a tie, so `Yes` iff p_ah ≥ threshold here too."""


def with_verdict(row: dict, reduction: Reduction) -> dict:
    """The row with its verdict, and its clips' answers, formed anew from the clips.

    With an ensemble the clips' own p_ah is formed anew too, from their `model_p_ah`.
    """
    clips = row["clips"]
    if reduction.ensemble is None:
        p_ah, said = _of_one([clip["p_ah"] for clip in clips], clips, reduction)
        answers = [clip_answer(clip["p_ah"], reduction) for clip in clips]
    else:
        clips = [clip | {"p_ah": _of_clip(clip["model_p_ah"], reduction)} for clip in clips]
        p_ah = _of_several(clips, reduction)
        said = answer(p_ah, video_threshold(reduction))
        answers = [answer(clip["p_ah"], clip_threshold(reduction)) for clip in clips]
    return row | {
        "p_ah": p_ah,
        "answer": said,
        "reducer": reducer_name(reduction),
        "threshold": video_threshold(reduction),
        "calibration_fingerprint": reduction.calibration_fingerprint,
        "clips": [clip | {"answer": said} for clip, said in zip(clips, answers, strict=True)],
    }


def reducer_name(reduction: Reduction) -> str:
    """As rows tell it: `any`, `vote(any>=0.5)`, `mean(any)`.

    `vote(any>=0.5, mean>=0.42)` where each model has a calibration of its own.
    """
    if reduction.ensemble is None:
        return reduction.reducer
    is_vote = reduction.ensemble is Ensemble.VOTE
    each = [
        one.reducer + (f">={one.threshold!r}" if is_vote else "")
        for one in reduction.members or (reduction,)
    ]
    return f"{reduction.ensemble}({', '.join(each)})"


def in_words(reduction: Reduction) -> str:
    """For a person: `any, threshold 0.5`, and the calibration where there is one."""
    calibrated = reduction.calibration_fingerprint
    by = f", calibration {calibrated}" if calibrated else ""
    return f"{reducer_name(reduction)}, threshold {video_threshold(reduction):g}{by}"


def video_threshold(reduction: Reduction) -> float:
    """From where on a video's p_ah is a Yes."""
    return MORE_THAN_HALF if reduction.ensemble is Ensemble.VOTE else reduction.threshold


def clip_threshold(reduction: Reduction) -> float:
    """From where on a clip is a Yes, by its `calibrated_clip`."""
    counts = reduction.ensemble is not Ensemble.VOTE and reduction.reducer == "share"
    return SHARE_THRESHOLD if counts else video_threshold(reduction)


def clip_threshold_in_tables(reduction: Reduction) -> float:
    """The same, by the p_ah of tables: a calibration of one model is taken back."""
    threshold, scaling = clip_threshold(reduction), _scaling_of_clips(reduction)
    if scaling is None or threshold in (0, 1):
        return threshold
    return sigmoid((logit(threshold) - scaling.intercept) / scaling.slope)


def calibrated_clip(p_ah: float, reduction: Reduction) -> float:
    """A clip's p_ah of tables as a video of that clip alone would score; as it is for `share`."""
    scaling = _scaling_of_clips(reduction)
    return p_ah if scaling is None else scaling(p_ah)


def _scaling_of_clips(reduction: Reduction) -> Scaling | None:
    """None also for an ensemble: the p_ah that it gives a clip is formed of calibrated ones."""
    counts = reduction.ensemble is not None or reduction.reducer == "share"
    return None if counts else reduction.scaling


def _each(reduction: Reduction, n_models: int) -> Sequence[Reduction]:
    """How each of the models forms its own verdict."""
    return reduction.members or [reduction.model_copy(update={"ensemble": None})] * n_models


def _of_one(
    p_ah: Sequence[float | None], clips: Sequence[dict], reduction: Reduction
) -> tuple[float | None, str | None]:
    return reduce_scores(p_ah, [clip["end_s"] - clip["start_s"] for clip in clips], reduction)


def _of_several(clips: Sequence[dict], reduction: Reduction) -> float | None:
    timelines = [clip["model_p_ah"] for clip in clips if clip["model_p_ah"]]
    if not timelines:
        return None
    verdicts = []
    for model, each in enumerate(_each(reduction, len(timelines[0]))):
        column = [clip["model_p_ah"][model] if clip["model_p_ah"] else None for clip in clips]
        verdicts.append(_of_one(column, clips, each))
    return _combined([verdict for verdict in verdicts if verdict[0] is not None], reduction)


def _of_clip(p_ah: Sequence[float | None] | None, reduction: Reduction) -> float | None:
    if not p_ah:
        return None
    said = [
        (scaled(p, each), clip_answer(p, each))
        for p, each in zip(p_ah, _each(reduction, len(p_ah)), strict=True)
        if p is not None
    ]
    return _combined(said, reduction)


def _combined(verdicts: Sequence[tuple[float, str]], reduction: Reduction) -> float | None:
    """Of (p_ah, answer) of those models that have them."""
    if not verdicts:
        return None
    if reduction.ensemble is Ensemble.VOTE:
        return sum(said == YES for _, said in verdicts) / len(verdicts)
    p = [p for p, _ in verdicts]
    if reduction.ensemble is Ensemble.MEAN_LOGIT:
        mean = sigmoid(math.fsum(map(logit, p)) / len(p))
    else:
        mean = math.fsum(p) / len(p)
    return min(max(mean, min(p)), max(p))
