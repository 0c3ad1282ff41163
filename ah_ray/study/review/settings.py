"""The settings of `jobs/clips.py`, by the names of its flags."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ah_ray.flag import flag
from ah_ray.study.pseudonym_rule import NO_PSEUDONYMS
from ah_ray.study.review.draw import Strata, Unit
from ah_ray.study.split_settings import SeedSettings, SplitSettings
from ah_ray.validation import JobSettings, validate_settings


class Surest(StrEnum):
    """Which moments are wanted."""

    YES = "yes"  # answered Yes, the highest p_ah first
    NO = "no"  # answered No, the lowest first
    DOUBTFUL = "doubtful"  # nearest to where a Yes begins


class _OutputSettings(JobSettings):
    out: str = Field(
        description="Output of score.py or reduce.py.",
        json_schema_extra=flag(metavar="OUT", argument=True, several=True),
    )
    videos: str | None = Field(
        None,
        description="What score.py --videos named. Needed where OUT was written with --hide-uris.",
        json_schema_extra=flag(metavar="URI"),
    )
    id_key: str | None = Field(
        None,
        description="File of score.py --id-key. It keys the pseudonyms of participants too.",
        json_schema_extra=flag(metavar="FILE"),
    )


class CutSettings(SeedSettings, _OutputSettings):
    """Which moments or videos are cut out for a reviewer, and where they go."""

    PANEL: ClassVar[str | None] = "Cut moments for a reviewer"

    to: str = Field(
        description="Folder for the clips, the sheet and the page.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    draw: int | None = Field(
        None,
        ge=4,
        le=100_000,
        description="Draw this many videos at random, to measure how good the verdicts are.",
        json_schema_extra=flag(metavar="N"),
    )
    unit: Unit = Field(Unit.VIDEO, description="What is drawn: whole videos, or clips.")
    strata: Strata = Field(
        Strata.VERDICT,
        description="Draw half from the Yes and half from the No (verdict), a quarter from each "
        "quarter of the scores (score), or from all alike (none).",
    )
    top: int = Field(10, ge=1, le=10_000, description="How many moments of each kind are cut.")
    surest: tuple[Surest, ...] = Field(
        (Surest.YES,),
        description="Kind of moments: the surest Yes, the surest No, or those nearest to the "
        "threshold. Repeat the flag for several.",
    )
    contrast: tuple[str, ...] = Field(
        (),
        description="Contrast of the profile: the clips in which it is largest are cut, instead of "
        "the surest. Repeat the flag for several.",
        json_schema_extra=flag(metavar="NAME"),
    )
    doubtful: bool = Field(
        False,
        description="Choose the clips about which the model is least certain, by its calibrated "
        "probability, and about which several models differ most.",
    )
    diverse: bool = Field(
        False,
        description="Spread them over participants, and over the model's embeddings of the clips "
        "(score.py --keep-embeddings).",
    )
    calibration: tuple[str, ...] = Field(
        (),
        description="File of evaluate.py that calibrates the probabilities. Repeat the flag, once "
        "for each model.",
        json_schema_extra=flag(metavar="FILE", default="that of OUT"),
    )
    answered: tuple[str, ...] = Field(
        (),
        description="Labelled manifest or filled-in sheet, whose seconds are not chosen again, nor "
        "anybody in its val and test. Repeat the flag.",
        json_schema_extra=flag(metavar="PLACE"),
    )
    show_scores: bool = Field(
        False, description="Show p_ah to the reviewer, who otherwise does not see it."
    )

    @property
    def chooses(self) -> bool:
        """Return whether clips are chosen for a training."""
        return self.doubtful or self.diverse

    @property
    def kinds(self) -> tuple[Surest, ...]:
        """Return which moments are chosen by P(A/H): none if only contrasts were asked for."""
        return () if self.contrast and "surest" not in self.model_fields_set else self.surest

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_fields_set
        if self.chooses:
            return self._check_choice()
        if of_choice := [name for name in ("calibration", "answered") if name in given]:
            raise ValueError(f"--{of_choice[0]} is of no use without --doubtful or --diverse")
        if self.draw is None:
            if of_draw := [name for name in ("unit", "strata", "seed") if name in given]:
                raise ValueError(f"--{of_draw[0]} is of no use without --draw")
            return self
        if of_surest := [name for name in ("top", "surest", "contrast") if name in given]:
            raise ValueError(
                f"--{of_surest[0]} chooses moments by their scores, and --draw draws without "
                "looking at them: leave one out"
            )
        if self.show_scores:
            raise ValueError("--show-scores would guide the answers about a draw: leave it out")
        return self

    def _check_choice(self) -> Self:
        given = self.model_fields_set
        if others := [name for name in ("draw", "unit", "strata", "surest", "contrast")
                      if name in given]:  # fmt: skip
            raise ValueError(
                f"--{others[0]} chooses in another way than --doubtful and --diverse: leave one out"
            )
        if self.calibration and not self.doubtful:
            raise ValueError("--calibration is of no use without --doubtful")
        return self


class _ReviewedSettings(_OutputSettings):
    """Whose answers become labels, and who is seen in the videos."""

    PANEL: ClassVar[str | None] = "Take answers back as labels"

    answers: tuple[str, ...] = Field(
        min_length=1,
        description="Filled-in sheet. Repeat the flag, or name several after it.",
        json_schema_extra=flag(metavar="FILE"),
    )
    labels_out: str = Field(
        description="Folder for the labelled manifest, as prepare.py writes it.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    participants: str | None = Field(
        None,
        description="CSV or Parquet file with the columns video_id, participant, and optionally "
        "split.",
        json_schema_extra=flag(metavar="FILE"),
    )
    plain_participants: bool = Field(
        False, description="Use no pseudonyms: the people are invented or public."
    )
    skip_faulty: bool = Field(
        False,
        description="Leave faulty videos out and count them, instead of ending with an error.",
    )


class AnswerSettings(SplitSettings, _ReviewedSettings):
    """All that is needed to make labels of answers."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.id_key and self.plain_participants:
            raise ValueError("--id-key hides who it is and --plain-participants shows it: give one")
        if self.participants and not (self.id_key or self.plain_participants):
            raise ValueError(NO_PSEUDONYMS)
        return self


def cut_settings(**values: object) -> CutSettings:
    """Return valid settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(CutSettings, values, "OUT and --to (or --answers and --labels-out)")


def answer_settings(**values: object) -> AnswerSettings:
    """Return valid settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(AnswerSettings, values, "OUT, --answers and --labels-out")
