"""How the scores of a video's clips become its verdict, as settings. Pure."""

from __future__ import annotations

import math
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

_LEAST = 2.0**-24  # a probability of 0 or 1 has no logit; float32 scores come no nearer to 1


def logit(p: float) -> float:
    """log(p / (1 − p)), with p kept from 0 and 1 by 2⁻²⁴."""
    p = min(max(p, _LEAST), 1 - _LEAST)
    return math.log(p) - math.log1p(-p)


def sigmoid(x: float) -> float:
    """1 / (1 + e⁻ˣ), without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scaling(_Frozen):
    """p → sigmoid(slope · logit(p) + intercept): what a calibration does to a probability.

    Temperature scaling (Guo et al. 2017) has slope 1/T and no intercept; Platt's (1999) has both.
    The order of videos stays as it was, because the slope is positive.
    """

    slope: float = Field(gt=0, allow_inf_nan=False)
    intercept: float = Field(0.0, allow_inf_nan=False)

    def __call__(self, p: float) -> float:
        return sigmoid(self.slope * logit(p) + self.intercept)


class Ensemble(StrEnum):
    """How the verdicts of several models become one."""

    VOTE = "vote"  # the share of Yes; a Yes needs more than half, so a tie is a No (as published)
    MEAN = "mean"  # of their probabilities
    MEAN_LOGIT = "mean-logit"  # of their logits, as a probability again


class Reduction(_Frozen):
    """How clips become a verdict. Cheap: a change of it needs no new scoring.

    Of several models each forms its own by `reducer`, `threshold` and `scaling`, or, if each has a
    calibration, by its place in `members`; `ensemble` combines them. With `members`, `threshold` is
    that of the ensemble.
    """

    reducer: str = "any"
    threshold: float = Field(0.5, ge=0, le=1)
    scaling: Scaling | None = None  # of the video's probability, before the threshold
    calibration_fingerprint: str | None = None
    ensemble: Ensemble | None = None
    members: tuple[Reduction, ...] = ()
