"""The settings of `jobs/evaluate.py`, by the names of its flags."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from ah_ray.flag import flag
from ah_ray.validation import FrozenModel, validate_settings

_OF_ONE = ("participant", "participant_id", "video_id", "uri")
_OF_CALIBRATION = ("clip_scaling", "reducer", "scaling", "threshold")


class ScalingKind(StrEnum):
    """How probabilities are scaled."""

    NONE = "none"
    TEMPERATURE = "temperature"  # slope 1/T
    PLATT = "platt"  # slope and intercept
    ISOTONIC = "isotonic"  # any curve that never falls


class Threshold(StrEnum):
    """How a threshold is found."""

    FIXED = "fixed"  # as it is
    MACRO_F1 = "macro-f1"  # where macro-F1 is highest
    BASE_RATE = "base-rate"  # where the share of Yes comes nearest to the share of A/H


GATED_ON = "val"
"""The split on which models are compared again and again: test is for the last look."""

ALL = "all"
"""In place of a split: every labelled video."""


def _check_split(split: str) -> str:
    from ah_ray.study.labelled_manifest import SPLITS  # takes time to load

    known = (*SPLITS, ALL)
    if split not in known:
        raise ValueError(f"there is none named {split!r}; there are {', '.join(known)}")
    return split


Split = Annotated[str, AfterValidator(_check_split)]
"""The split of a labelled manifest that is reported."""


class SplitChoice(FrozenModel):
    """Which part of the labels is reported."""

    split: Split = Field(
        "test",
        description="Split of the labels that is reported: test, val, train or all.",
        json_schema_extra=flag(metavar="SPLIT"),
    )


class CalibrationSettings(FrozenModel):
    """What a calibration file holds."""

    PANEL: ClassVar[str | None] = "A calibration file"

    write_calibration: str | None = Field(
        None,
        description="Write a calibration, fitted on val, to this file, for score.py and reduce.py "
        "--calibration.",
        json_schema_extra=flag(metavar="FILE"),
    )
    clip_scaling: ScalingKind = Field(
        ScalingKind.NONE,
        description="How the calibration scales probabilities of clips, before the reducer. Fitted "
        "to videos of val whose labels say when A/H occurs.",
    )
    reducer: str | None = Field(
        None,
        description="Reducer of the calibration.",
        json_schema_extra=flag(metavar="NAME", default="that of OUT"),
    )
    scaling: ScalingKind = Field(
        ScalingKind.PLATT, description="How the calibration scales probabilities of videos."
    )
    threshold: Threshold | float = Field(
        Threshold.MACRO_F1,
        description="Threshold of the calibration: where macro-F1 is highest on val (macro-f1), "
        "where as many videos are Yes as have A/H (base-rate), or a number.",
        json_schema_extra=flag(metavar="NAME|P", choices=False),
    )


class EvaluateSettings(CalibrationSettings, SplitChoice):
    """What is measured, how surely, and what is written."""

    PANEL: ClassVar[str | None] = None

    outs: tuple[str, ...] = Field(
        min_length=1,
        description="Output of score.py or reduce.py, or several.",
        json_schema_extra=flag(metavar="OUT", argument=True),
    )
    labels: str = Field(
        description="Labelled manifest: an output of prepare.py.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    question: str | None = Field(
        None,
        min_length=1,
        description="Judge the answers to this question of the profile, by its name, against "
        "labels of it.",
        json_schema_extra=flag(metavar="NAME", default="the first, as verdicts"),
    )
    to: str | None = Field(
        None,
        description="Folder for metrics.json and metrics.parquet; with --question, "
        "OUT/evaluation-NAME unless it is given.",
        json_schema_extra=flag(metavar="FOLDER", default="OUT/evaluation"),
    )
    draws: int = Field(
        2_000,
        ge=100,
        le=100_000,
        description="Draws of labels that show the calibration error of a perfect model.",
    )
    seed: int = Field(0, ge=0, description="Seed of these draws.")
    group_by: tuple[str, ...] = Field(
        (),
        description="Column of the manifest or the labels to form groups by. Repeat the flag for "
        "several.",
        json_schema_extra=flag(metavar="COLUMN"),
    )
    protocol: Literal["bah"] | None = Field(
        None,
        description="Print what papers on BAH print, as mean ± sd over the outputs.",
        json_schema_extra=flag(metavar="bah"),
    )
    private_labels: str | None = Field(
        None,
        description="Labelled manifest of a private test set, for --protocol.",
        json_schema_extra=flag(metavar="FOLDER"),
    )

    trained_on: str | None = Field(
        None,
        description="Whose videos the model was trained on elsewhere: an output of prepare.py, or "
        "a table with a column participant.",
        json_schema_extra=flag(metavar="FOLDER|FILE"),
    )
    id_key: str | None = Field(
        None,
        description="File that keyed the pseudonyms, for names in --trained-on.",
        json_schema_extra=flag(metavar="FILE"),
    )
    gate: str | None = Field(
        None,
        description="Output of the model in use. The exit status is 0 only if OUT is better than "
        "it, by a paired interval on val (or --split), else 6.",
        json_schema_extra=flag(metavar="OLD"),
    )
    plan: str | None = Field(
        None,
        description="Analysis plan (YAML), which is locked before the test split is opened.",
        json_schema_extra=flag(metavar="FILE"),
    )

    @field_validator("threshold", mode="before")
    @classmethod
    def _by_name_or_number(cls, value: object) -> object:
        text = str(value)
        if text in (Threshold.MACRO_F1, Threshold.BASE_RATE):
            return Threshold(text)
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise ValueError("give macro-f1, base-rate, or a probability from 0 to 1")
        return number

    @field_validator("group_by")
    @classmethod
    def _names_nobody(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        for name in columns:
            if name in _OF_ONE:
                raise ValueError(
                    f"{name} would write names of people or videos into the metrics: choose a "
                    "column that many participants share"
                )
        return columns

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in _OF_CALIBRATION if name in self.model_fields_set]
        if given and self.write_calibration is None:
            raise ValueError(
                f"--{given[0]} is for the file of --write-calibration; without that file, all "
                "reducers, scalings and thresholds are measured"
            )
        if self.write_calibration is not None and len(self.outs) > 1:
            raise ValueError("--write-calibration fits one model's output: name one OUT")
        if self.question is not None:
            self._check_question()
        if self.private_labels is not None and self.protocol is None:
            raise ValueError("--private-labels belongs to --protocol bah: give both, or neither")
        return self

    @model_validator(mode="after")
    def _check_gate(self) -> Self:
        if self.gate is None:
            return self
        if len(self.outs) > 1:
            raise ValueError("--gate decides about one new model: name one OUT")
        for name in ("protocol", "plan", "write_calibration"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"--{name.replace('_', '-')} is for an evaluation of its own: leave it out, or "
                    "leave out --gate"
                )
        return self

    @property
    def measured(self) -> tuple[str, ...]:
        """Return the outputs that are measured: with --gate, the model in use first."""
        return self.outs if self.gate is None else (self.gate, *self.outs)

    @property
    def reported_split(self) -> str:
        """Return the split that is reported without a plan: with --gate, val if none is given."""
        is_gate = self.gate is not None and "split" not in self.model_fields_set
        return GATED_ON if is_gate else self.split

    def _check_question(self) -> None:
        if self.write_calibration is not None:
            raise ValueError(
                "--write-calibration fits a calibration of verdicts, which are made of the first "
                "question: leave --question out"
            )
        for name in ("protocol", "gate"):
            if getattr(self, name) is not None:
                raise ValueError(f"--{name} is about verdicts: leave --question out")

    @property
    def folder(self) -> str:
        """Return where the metrics are written."""
        from ah_ray import storage  # takes time to load

        name = "evaluation" if self.question is None else f"evaluation-{self.question}"
        return storage.normalise(self.to or storage.join(self.outs[0], name))


def evaluate_settings(**values: object) -> EvaluateSettings:
    """Return validated settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(
        EvaluateSettings, values, "OUT and --labels (an output of jobs/prepare.py)"
    )
