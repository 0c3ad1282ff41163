"""A video's verdict, formed from its timeline: from one model, or from several. Pure.

With several models, each forms a verdict of its own by the reducer, its calibration if there is
one, and the threshold. These are then combined, for the video and for each clip:

    vote        the share of Yes; a Yes needs more than half, so a tie is a No
    mean        the mean of the probabilities
    mean-logit  the mean of the logits, log(p/(1−p)), as a probability again

A model that has no score is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ah_ray.profile import YES
from ah_ray.verdicts.one_model import answer_clip, apply_scaling, reduce_scores, scale_clip
from ah_ray.verdicts.reducers import find_reducer, form_answer
from ah_ray.verdicts.reduction import Ensemble, IsotonicScaling, Reduction, Scaling, logit, sigmoid

MORE_THAN_HALF = math.nextafter(0.5, 1)
"""The threshold of a vote: the smallest number above a tie, so `Yes` iff p_ah ≥ threshold."""

Row = dict[str, Any]
"""A row of records.VERDICT."""

_Clip = dict[str, Any]


def with_verdict(row: Row, reduction: Reduction) -> Row:
    """Return the row with a verdict and answers of its clips, formed from the clips' scores.

    With an ensemble, the clips' own p_ah is formed too, from their `model_p_ah`.
    """
    clips = row["clips"]
    if reduction.ensemble is None:
        p_ah, answer = _reduce_clips([clip["p_ah"] for clip in clips], clips, reduction)
        answers = [answer_clip(clip["p_ah"], reduction) for clip in clips]
    else:
        clips = [clip | {"p_ah": _combine_clip(clip["model_p_ah"], reduction)} for clip in clips]
        p_ah = _combine_video(clips, reduction)
        answer = None if p_ah is None else form_answer(p_ah, video_threshold(reduction))
        threshold = clip_threshold(reduction)
        answers = [
            None if clip["p_ah"] is None else form_answer(clip["p_ah"], threshold) for clip in clips
        ]
    return row | {
        "p_ah": p_ah,
        "answer": answer,
        "reducer": reducer_name(reduction),
        "threshold": video_threshold(reduction),
        "calibration_fingerprint": reduction.calibration_fingerprint,
        "clips": [clip | {"answer": of_clip} for clip, of_clip in zip(clips, answers, strict=True)],
    }


def reducer_name(reduction: Reduction) -> str:
    """Return the reducer as rows hold it: `any`, `vote(any>=0.5)`, `mean(any)`.

    Where each model has a calibration of its own: `vote(any>=0.5, mean>=0.42)`.
    """
    if reduction.ensemble is None:
        return reduction.reducer
    is_vote = reduction.ensemble is Ensemble.VOTE
    each = [
        one.reducer + (f">={one.threshold!r}" if is_vote else "")
        for one in reduction.members or (reduction,)
    ]
    return f"{reduction.ensemble}({', '.join(each)})"


def describe_reduction(reduction: Reduction) -> str:
    """Return it for people: `any, threshold 0.5`, and the calibration if there is one."""
    calibration = reduction.calibration_fingerprint
    suffix = f", calibration {calibration}" if calibration else ""
    return f"{reducer_name(reduction)}, threshold {video_threshold(reduction):g}{suffix}"


def video_threshold(reduction: Reduction) -> float:
    """Return the lowest p_ah of a video that is a Yes."""
    return MORE_THAN_HALF if reduction.ensemble is Ensemble.VOTE else reduction.threshold


def clip_threshold(reduction: Reduction) -> float:
    """Return the lowest score of a clip that is a Yes, on the scale of `calibrate_clip`."""
    fixed = _fixed_clip_threshold(reduction)
    if fixed is None or reduction.ensemble is Ensemble.VOTE:
        return video_threshold(reduction)
    return fixed


def clip_threshold_in_tables(reduction: Reduction) -> float:
    """Return the lowest p_ah of a clip that is a Yes, as clips.parquet holds p_ah.

    With one model, clips.parquet holds probabilities from before the calibration.
    """
    threshold = clip_threshold(reduction)
    for scaling in reversed(_clip_scalings(reduction)):
        threshold = scaling.inverse(threshold)
    return threshold


def calibrate_clip(p_ah: float, reduction: Reduction) -> float:
    """Return the score that a video of this clip alone would have, from its p_ah in clips.parquet.

    Where the reducer counts answers (`share`), it is the score that is counted.
    """
    for scaling in _clip_scalings(reduction):
        p_ah = scaling(p_ah)
    return p_ah


def _fixed_clip_threshold(reduction: Reduction) -> float | None:
    reducer = find_reducer(reduction.reducer)
    return None if reducer is None else reducer.clip_threshold


def _clip_scalings(reduction: Reduction) -> list[Scaling | IsotonicScaling]:
    """Return the scalings of clips in tables, in order.

    There are none for an ensemble, whose p_ah is formed after scaling.
    """
    if reduction.ensemble is not None:
        return []
    of_video = None if _fixed_clip_threshold(reduction) is not None else reduction.scaling
    return [each for each in (reduction.clip_scaling, of_video) if each is not None]


def _member_reductions(reduction: Reduction, n_models: int) -> Sequence[Reduction]:
    """Return how each of the models forms its own verdict."""
    return reduction.members or [reduction.model_copy(update={"ensemble": None})] * n_models


def _reduce_clips(
    p_ah: Sequence[float | None], clips: Sequence[_Clip], reduction: Reduction
) -> tuple[float | None, str | None]:
    return reduce_scores(p_ah, [clip["end_s"] - clip["start_s"] for clip in clips], reduction)


def _combine_video(clips: Sequence[_Clip], reduction: Reduction) -> float | None:
    timelines = [clip["model_p_ah"] for clip in clips if clip["model_p_ah"]]
    if not timelines:
        return None
    verdicts = []
    for model, member in enumerate(_member_reductions(reduction, len(timelines[0]))):
        column = [clip["model_p_ah"][model] if clip["model_p_ah"] else None for clip in clips]
        p_ah, answer = _reduce_clips(column, clips, member)
        if p_ah is not None:
            verdicts.append((p_ah, answer))
    return _combine(verdicts, reduction)


def _combine_clip(p_ah: Sequence[float | None] | None, reduction: Reduction) -> float | None:
    if not p_ah:
        return None
    members = zip(p_ah, _member_reductions(reduction, len(p_ah)), strict=True)
    scored = [
        (apply_scaling(scale_clip(p, member), member), answer_clip(p, member))
        for p, member in members
        if p is not None
    ]
    return _combine(scored, reduction)


def _combine(verdicts: Sequence[tuple[float, str | None]], reduction: Reduction) -> float | None:
    """Combine (p_ah, answer) of the models that have a score."""
    if not verdicts:
        return None
    if reduction.ensemble is Ensemble.VOTE:
        return sum(answer == YES for _, answer in verdicts) / len(verdicts)
    p = [p for p, _ in verdicts]
    if reduction.ensemble is Ensemble.MEAN_LOGIT:
        mean = sigmoid(math.fsum(map(logit, p)) / len(p))
    else:
        mean = math.fsum(p) / len(p)
    return min(max(mean, min(p)), max(p))
