"""All settings of `jobs/evaluate.py`, by the names of its flags."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ah_ray import storage
from ah_ray.study.evaluation.calibrating import ScalingKind
from ah_ray.study.evaluation.evaluate import REPORTED
from ah_ray.study.evaluation.thresholds import Threshold
from ah_ray.validation import validated

_OF_CALIBRATION = ("reducer", "scaling", "threshold")


def _known(split: str) -> str:
    if split not in REPORTED:
        raise ValueError(f"there is none named {split!r}; there are {', '.join(REPORTED)}")
    return split


Split = Annotated[str, AfterValidator(_known)]
"""Of a labelled manifest: what is reported."""


class EvaluateSettings(BaseModel):
    """What is measured, how surely, and what is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outs: tuple[str, ...] = Field(min_length=1)
    labels: str
    split: Split = "test"
    to: str | None = None
    draws: int = Field(2_000, ge=100, le=100_000)
    seed: int = Field(0, ge=0)

    write_calibration: str | None = None
    reducer: str | None = None
    scaling: ScalingKind = ScalingKind.TEMPERATURE
    threshold: Threshold | float = Threshold.MACRO_F1

    @field_validator("threshold", mode="before")
    @classmethod
    def _by_name_or_number(cls, value: object) -> object:
        if value in (Threshold.MACRO_F1, Threshold.BASE_RATE):
            return Threshold(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number <= 1:
            raise ValueError("give macro-f1, base-rate, or a probability from 0 to 1")
        return number

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in _OF_CALIBRATION if name in self.model_fields_set]
        if given and self.write_calibration is None:
            raise ValueError(
                f"--{given[0]} is for the file of --write-calibration; without it, all reducers, "
                "scalings and thresholds are measured anyhow"
            )
        if self.write_calibration is not None and len(self.outs) > 1:
            raise ValueError("--write-calibration is of one model's output: name one OUT")
        return self

    @property
    def folder(self) -> str:
        """Where the metrics go."""
        return storage.normalise(self.to or storage.join(self.outs[0], "evaluation"))


def evaluate_settings(**values: object) -> EvaluateSettings:
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    return validated(EvaluateSettings, values, "OUT and --labels (an output of jobs/prepare.py)")
