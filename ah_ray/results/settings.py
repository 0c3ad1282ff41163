"""All settings of `jobs/reduce.py` and `jobs/status.py`, by the names of their flags."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ah_ray.flag import flag
from ah_ray.validation import JobSettings, validate_settings
from ah_ray.verdicts.reduction import Reduction, VerdictChoice, VerdictRules


class ReduceSettings(VerdictChoice):
    """From which outputs new verdicts are formed, and how."""

    PANEL: ClassVar[str | None] = None

    inputs: tuple[str, ...] = Field(
        min_length=1,
        description="Finished output of score.py, or several.",
        json_schema_extra=flag(metavar="IN", argument=True),
    )
    out: str = Field(
        description="Folder or s3://… prefix for the new output. It is not one of IN.",
        json_schema_extra=flag(metavar="URI"),
    )

    @property
    def reduction(self) -> Reduction:
        """The rules that were given; the others stay unset, for a calibration to set."""
        return Reduction(
            **self.model_dump(include=self.model_fields_set & set(VerdictRules.model_fields))
        )


class PurgeSettings(JobSettings):
    """Which videos are removed from an output."""

    PANEL: ClassVar[str | None] = "Remove people who withdrew their consent"

    purge: str | None = Field(
        None,
        description="Manifest of the videos that are removed for good.",
        json_schema_extra=flag(metavar="URI"),
    )
    also: tuple[str, ...] = Field(
        (),
        description="Folder of clips.py or prepare.py from which they are removed too. Repeat the "
        "flag for several.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    id_key: str | None = Field(
        None,
        description="File of score.py --id-key, if OUT was scored with one.",
        json_schema_extra=flag(metavar="FILE"),
    )


class DuplicatesSettings(JobSettings):
    """Which recordings count as nearly the same."""

    PANEL: ClassVar[str | None] = "Find recordings that are nearly the same"

    duplicates: bool = Field(
        False,
        description="List recordings that are nearly the same, by their embeddings (score.py "
        "--keep-embeddings).",
    )
    similarity: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Least similarity of a pair that is listed.",
    )
    labels: str | None = Field(
        None,
        description="Labelled manifest: a pair over two of its splits is a leak.",
        json_schema_extra=flag(metavar="FOLDER"),
    )


class StatusSettings(DuplicatesSettings, PurgeSettings):
    """The output whose state is shown, and the form in which it is shown."""

    PANEL: ClassVar[str | None] = None

    out: str = Field(
        description="Output of score.py or reduce.py.",
        json_schema_extra=flag(metavar="OUT", argument=True),
    )
    as_json: bool = Field(
        False, description="Print JSON, for programs.", json_schema_extra=flag(name="json")
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.duplicates and self.purge is not None:
            raise ValueError("--duplicates lists and --purge removes: give one")
        if not self.duplicates:
            for name in ("similarity", "labels"):
                if name in self.model_fields_set:
                    raise ValueError(f"--{name} is of no use without --duplicates")
        return self


def reduce_settings(**values: object) -> ReduceSettings:
    """Return validated settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(ReduceSettings, values, "IN and --out")


def status_settings(**values: object) -> StatusSettings:
    """Return validated settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(StatusSettings, values, "OUT")
