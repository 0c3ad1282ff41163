"""A video's verdict, formed from its timeline: of one model, or of several. Pure.

Of several models each gives its own verdict by the reducer and the threshold, and these are
combined, over the video and clip by clip:

    vote   the share of Yes; a Yes needs more than half, so a tie is a No
    mean   of the probabilities

A model that has no score is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ah_ray.config import Ensemble, Reduction
from ah_ray.results.reducers import YES, answer, clip_threshold, reduce_scores

MORE_THAN_HALF = math.nextafter(0.5, 1)
"""The threshold of a vote: the least number above a tie, so `Yes` iff p_ah ≥ threshold here too."""


def with_verdict(row: dict, reduction: Reduction) -> dict:
    """The row with its verdict, and its clips' answers, formed anew from the clips.

    With an ensemble the clips' own p_ah is formed anew too, from their `model_p_ah`.
    """
    clips = row["clips"]
    clip_level, video_level = _thresholds(reduction)
    if reduction.ensemble is None:
        p_ah, _ = _of_one([clip["p_ah"] for clip in clips], clips, reduction)
    else:
        clips = [clip | {"p_ah": _of_clip(clip["model_p_ah"], reduction)} for clip in clips]
        p_ah = _of_several(clips, reduction)
    return row | {
        "p_ah": p_ah,
        "answer": answer(p_ah, video_level),
        "reducer": reducer_name(reduction),
        "threshold": video_level,
        "calibration_fingerprint": reduction.calibration_fingerprint,
        "clips": [clip | {"answer": answer(clip["p_ah"], clip_level)} for clip in clips],
    }


def reducer_name(reduction: Reduction) -> str:
    """As rows tell it: `any`, `vote(any>=0.5)`, `mean(any)`."""
    if reduction.ensemble is None:
        return reduction.reducer
    each = reduction.reducer
    if reduction.ensemble is Ensemble.VOTE:
        each += f">={reduction.threshold!r}"
    return f"{reduction.ensemble}({each})"


def _thresholds(reduction: Reduction) -> tuple[float, float]:
    """From where on a clip, and a video, is a Yes."""
    if reduction.ensemble is Ensemble.VOTE:
        return MORE_THAN_HALF, MORE_THAN_HALF
    return clip_threshold(reduction), reduction.threshold


def _of_one(
    p_ah: Sequence[float | None], clips: Sequence[dict], reduction: Reduction
) -> tuple[float | None, str | None]:
    return reduce_scores(p_ah, [clip["end_s"] - clip["start_s"] for clip in clips], reduction)


def _of_several(clips: Sequence[dict], reduction: Reduction) -> float | None:
    timelines = [clip["model_p_ah"] for clip in clips if clip["model_p_ah"]]
    n_models = len(timelines[0]) if timelines else 0
    columns = (
        [clip["model_p_ah"][model] if clip["model_p_ah"] else None for clip in clips]
        for model in range(n_models)
    )
    verdicts = [_of_one(column, clips, reduction) for column in columns]
    return _combined([verdict for verdict in verdicts if verdict[0] is not None], reduction)


def _of_clip(p_ah: Sequence[float | None] | None, reduction: Reduction) -> float | None:
    threshold = clip_threshold(reduction)
    said = [(p, answer(p, threshold)) for p in p_ah or () if p is not None]
    return _combined(said, reduction)


def _combined(verdicts: Sequence[tuple[float, str]], reduction: Reduction) -> float | None:
    """Of (p_ah, answer) of those models that have them."""
    if not verdicts:
        return None
    if reduction.ensemble is Ensemble.VOTE:
        return sum(said == YES for _, said in verdicts) / len(verdicts)
    p = [p for p, _ in verdicts]
    return min(max(math.fsum(p) / len(p), min(p)), max(p))
