"""The scores that several models gave one clip, as one score. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

from ah_ray.records import AnswerScore, ClipScore, ContrastScore
from ah_ray.verdicts.further_answers import average_answers, average_contrasts


def average_models(scores: Sequence[ClipScore]) -> ClipScore:
    """Return one score for a clip, from those of n ≥ 1 models in their order.

    Its probabilities are means over the models that scored the clip, and its embedding is that of
    the first model, whether or not that gave a probability. A model that failed leaves a
    null in `model_p_ah`, and its error, which names the model. One score alone is returned as it
    is.
    """
    if len(scores) == 1:
        return scores[0]
    good = [score for score in scores if score.p_ah is not None]
    bad = next(((n, s) for n, s in enumerate(scores, start=1) if s.error_kind is not None), None)
    error = bad and bad[1].error
    if bad and good:
        error = f"model {bad[0]} of {len(scores)}: {error}"
    return replace(
        scores[0],
        p_ah=_mean([score.p_ah for score in good]),
        answer_mass=_mean([score.answer_mass for score in good]),
        format_mass=_mean([score.format_mass for score in good]),
        model_p_ah=[score.p_ah for score in scores],
        n_frames=max(score.n_frames for score in scores),
        score_s=math.fsum(score.score_s for score in scores),
        error_kind=bad and bad[1].error_kind,
        error=error,
        answers=[
            AnswerScore(**one)
            for one in average_answers([[*map(asdict, score.answers)] for score in good]) or ()
        ],
        contrasts=[
            ContrastScore(**one)
            for one in average_contrasts([[*map(asdict, score.contrasts)] for score in good]) or ()
        ],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
