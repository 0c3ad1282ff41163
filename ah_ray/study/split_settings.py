"""How participants are divided into train, val and test, as settings of a job."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from ah_ray.flag import flag
from ah_ray.validation import JobSettings


class SeedSettings(JobSettings):
    """The seed of what a job draws."""

    seed: int = Field(0, description="Seed of all that is drawn.")


class SplitSettings(SeedSettings):
    """The shares of the splits, and the seed of the draw."""

    PANEL: ClassVar[str | None] = "Splits"

    split: tuple[float, float, float] | None = Field(
        None,
        description="Shares of train, val and test, drawn by participant, as 0.7,0.1,0.2.",
        json_schema_extra=flag(metavar="SHARES", with_commas=True),
    )

    @field_validator("split", mode="before")
    @classmethod
    def _shares(cls, value: object) -> object:
        from ah_ray.study.participants import shares_of  # loads pyarrow: --help does without

        return shares_of(value)
