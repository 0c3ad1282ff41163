"""The verdict of one model: its clips' probabilities, reduced, calibrated and compared. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray.verdicts.reducers import form_answer, parse_reducer
from ah_ray.verdicts.reduction import Reduction


def reduce_scores(
    p_ah: Sequence[float | None], lengths_s: Sequence[float], reduction: Reduction
) -> tuple[float | None, str | None]:
    """Return P(A/H) and the answer of a video, from the scores of its clips.

    A null probability is a clip that failed; it does not count. Return nulls if all are null.
    """
    scored = [(p, s) for p, s in zip(p_ah, lengths_s, strict=True) if p is not None]
    if not scored:
        return None, None
    reducer = parse_reducer(reduction.reducer)
    p_clips = [scale_clip(p, reduction) for p, _ in scored]
    p_video = apply_scaling(reducer(p_clips, [s for _, s in scored]), reduction)
    return p_video, form_answer(p_video, reduction.threshold)


def apply_scaling(p_ah: float, reduction: Reduction) -> float:
    """Return a video's probability after the calibration's scaling, if the reduction has one."""
    return p_ah if reduction.scaling is None else reduction.scaling(p_ah)


def scale_clip(p_ah: float, reduction: Reduction) -> float:
    """Return a clip's probability as the reducer takes it: scaled, if a calibration says so."""
    return p_ah if reduction.clip_scaling is None else reduction.clip_scaling(p_ah)


def answer_clip(p_ah: float | None, reduction: Reduction) -> str | None:
    """Return the answer of one clip, or null if it has no score.

    A clip is a Yes where a video of that clip alone would be; so with `any` a video is a Yes if
    and only if one of its clips is, calibrated or not. Where the reducer counts answers (`share`),
    its own threshold decides.
    """
    if p_ah is None:
        return None
    p_ah = scale_clip(p_ah, reduction)
    if (fixed := parse_reducer(reduction.reducer).clip_threshold) is not None:
        return form_answer(p_ah, fixed)
    return form_answer(apply_scaling(p_ah, reduction), reduction.threshold)
