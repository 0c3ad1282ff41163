"""All settings of `jobs/clips.py`, by the names of its flags."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from ah_ray.study.participants import NO_PSEUDONYMS, shares_of
from ah_ray.study.review.moments import Surest
from ah_ray.validation import JobSettings, validated


class _Settings(JobSettings):
    out: str  # the output that was scored
    videos: str | None = Field(None, description="what score.py's --videos named")
    id_key: str | None = None


class CutSettings(_Settings):
    """Which moments are cut out for a reviewer, and where they go."""

    top: int = Field(10, ge=1, le=10_000)
    surest: tuple[Surest, ...] = (Surest.YES,)
    to: str
    show_scores: bool = False


class AnswerSettings(_Settings):
    """Whose answers become labels, and who is seen in the videos."""

    answers: tuple[str, ...] = Field(min_length=1)
    labels_out: str
    participants: str | None = None
    plain_participants: bool = False
    skip_faulty: bool = False
    split: tuple[float, float, float] | None = None
    seed: int = 0

    @field_validator("split", mode="before")
    @classmethod
    def _shares(cls, value: object) -> object:
        return shares_of(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.id_key and self.plain_participants:
            raise ValueError("--id-key hides who it is and --plain-participants shows it: give one")
        if self.participants and not (self.id_key or self.plain_participants):
            raise ValueError(NO_PSEUDONYMS)
        return self


def cut_settings(**values: object) -> CutSettings:
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    return validated(CutSettings, values, "OUT and --to (or --answers and --labels-out)")


def answer_settings(**values: object) -> AnswerSettings:
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    return validated(AnswerSettings, values, "OUT, --answers and --labels-out")
