"""What several models made of one clip, as one score. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ah_ray.records import ClipScore


def together(scores: Sequence[ClipScore]) -> ClipScore:
    """Of one clip, by n models in their order; of one model alone, its own.

    A model that failed leaves a null in `model_p_ah`, and its error, which says which one it was;
    the clip is scored if any model scored it.
    """
    if len(scores) == 1:
        return scores[0]
    good = [score for score in scores if score.p_ah is not None]
    masses = [score.answer_mass for score in good if score.answer_mass is not None]
    bad = next(((n, s) for n, s in enumerate(scores, start=1) if s.error_kind is not None), None)
    error = bad and bad[1].error
    if bad and good:
        error = f"model {bad[0]} of {len(scores)}: {error}"
    return replace(
        scores[0],
        p_ah=_mean([score.p_ah for score in good]),
        answer_mass=_mean(masses),
        model_p_ah=[score.p_ah for score in scores],
        n_frames=max(score.n_frames for score in scores),
        score_s=math.fsum(score.score_s for score in scores),
        error_kind=bad and bad[1].error_kind,
        error=error,
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
