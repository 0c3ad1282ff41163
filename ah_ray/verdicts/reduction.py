"""Settings for how the scores of a video's clips become its verdict. Pure."""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ah_ray.flag import flag
from ah_ray.validation import FrozenModel
from ah_ray.verdicts.reducers import list_reducers

_LEAST = 2.0**-24  # a probability of 0 or 1 has no logit; float32 scores come no nearer to 1


def logit(p: float) -> float:
    """Return log(p / (1 − p)), with p limited to 2⁻²⁴ … 1 − 2⁻²⁴."""
    p = min(max(p, _LEAST), 1 - _LEAST)
    return math.log(p) - math.log1p(-p)


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e⁻ˣ), without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


class Scaling(FrozenModel):
    """A calibration's map of probabilities: p → sigmoid(slope · logit(p) + intercept).

    Temperature scaling (Guo et al. 2017) has slope 1/T and no intercept; Platt scaling (1999) has
    both. The slope is positive, so the order of videos does not change.
    """

    slope: float = Field(gt=0, allow_inf_nan=False)
    intercept: float = Field(0.0, allow_inf_nan=False)

    def __call__(self, p: float) -> float:
        return sigmoid(self.slope * logit(p) + self.intercept)

    def inverse(self, scaled: float) -> float:
        """Return the least p that is scaled to `scaled` or more; above 1 if there is none."""
        if scaled in (0, 1):
            return scaled
        if scaled <= self(0):
            return 0.0
        if scaled > self(1):
            return math.nextafter(1, 2)
        return sigmoid((logit(scaled) - self.intercept) / self.slope)


class IsotonicScaling(FrozenModel):
    """p → a curve through points that never falls, straight between them and level outside.

    Videos whose p the curve maps to the same value are no longer in an order.
    """

    p: tuple[float, ...] = Field(min_length=2)  # rising, from 0 to 1
    value: tuple[float, ...]  # one for each p; never falling, from 0 to 1

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.p) != len(self.value):
            raise ValueError("p and value need equally many numbers")
        if any(a >= b for a, b in pairwise(self.p)) or any(a > b for a, b in pairwise(self.value)):
            raise ValueError("p must rise from number to number, and value must never fall")
        if not all(0 <= each <= 1 for each in (*self.p, *self.value)):
            raise ValueError("p and value are probabilities from 0 to 1")
        return self

    def __call__(self, p: float) -> float:
        if p <= self.p[0]:
            return self.value[0]
        for (before, low), (after, high) in pairwise(zip(self.p, self.value, strict=True)):
            if p <= after:
                return min(low + (high - low) * (p - before) / (after - before), high)
        return self.value[-1]

    def inverse(self, scaled: float) -> float:
        """Return the least p that is scaled to `scaled` or more; above 1 if there is none."""
        if scaled <= self.value[0]:
            return 0.0
        for (before, low), (after, high) in pairwise(zip(self.p, self.value, strict=True)):
            if scaled <= high:
                return before + (after - before) * (scaled - low) / (high - low)
        return math.nextafter(1, 2)


class Ensemble(StrEnum):
    """How the verdicts of several models become one."""

    VOTE = "vote"  # the share of Yes; a Yes needs more than half, so a tie is a No (as published)
    MEAN = "mean"  # of their probabilities
    MEAN_LOGIT = "mean-logit"  # of their logits, as a probability again


class VerdictRules(FrozenModel):
    """How clips become a verdict, as a user may choose it."""

    PANEL: ClassVar[str | None] = "Verdict"

    reducer: str = Field(
        "any",
        description=f"How the clips' probabilities become the video's: {list_reducers()}.",
        json_schema_extra=flag(metavar="NAME"),
    )
    threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        description="The answer is Yes from this probability on.",
        json_schema_extra=flag(metavar="P"),
    )
    ensemble: Ensemble | None = Field(
        None,
        description="How the verdicts of several models become one.",
        json_schema_extra=flag(default="vote"),
    )


class VerdictChoice(VerdictRules):
    """The rules of the verdict, or the files of calibrations that hold them."""

    PANEL: ClassVar[str | None] = "Verdict"

    calibration: tuple[str, ...] = Field(
        (),
        description="File of evaluate.py that takes the place of --reducer and --threshold. Repeat "
        "the flag, once for each model.",
        json_schema_extra=flag(metavar="FILE"),
    )


class Reduction(VerdictRules):
    """How clips become a verdict. Cheap: a change of it needs no new scoring.

    With several models, each forms its own verdict by `reducer`, `threshold` and `scaling` or, if
    each has a calibration, by its entry in `members`; `ensemble` combines them. With `members`,
    `threshold` is the ensemble's.
    """

    clip_scaling: Scaling | IsotonicScaling | None = None  # of p of each clip, before the reducer
    scaling: Scaling | IsotonicScaling | None = None  # of p of the video, before the threshold
    calibration_fingerprint: str | None = None
    members: tuple[Reduction, ...] = ()
