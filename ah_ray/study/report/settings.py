"""Settings of a report: the flags of `jobs/report.py` by their names, and two limits."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ah_ray.flag import flag
from ah_ray.study.evaluation.settings import EvaluateSettings, SplitChoice
from ah_ray.validation import JobSettings, validate_settings


class ReportSettings(SplitChoice, JobSettings):
    """Without `link_videos` the page holds no name, without `with_frames` no picture."""

    out: str = Field(
        description="Output of score.py or reduce.py.",
        json_schema_extra=flag(metavar="OUT", argument=True),
    )
    to: str | None = Field(
        None,
        description="Where the page goes.",
        json_schema_extra=flag(metavar="FILE", default="OUT/report.html"),
    )
    labels: str | None = Field(
        None,
        description="Labelled manifest of prepare.py. The page then has measures, and the labels "
        "of videos.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    participants: str | None = Field(
        None,
        description="Table (CSV or Parquet) with participant, and video_id or uri; visit and "
        "question if known. The page then has a page for each participant.",
        json_schema_extra=flag(metavar="TABLE"),
    )
    plain_participants: bool = Field(
        False, description="Show participants by the names that the study uses."
    )
    title: str | None = Field(
        None,
        description="Heading of the page.",
        json_schema_extra=flag(metavar="TEXT", default="what the profile is about"),
    )
    link_videos: bool = Field(
        False, description="Name the recordings, and link each moment to its place in them."
    )
    with_frames: bool = Field(False, description="Show pictures from the recordings.")
    id_key: bytes | None = Field(
        None,
        description="File whose content keys new ids for the page.",
        json_schema_extra=flag(metavar="FILE"),
    )  # the content of that file

    # No flags: more draws and more videos would make the page slow, and larger than mail and
    # browsers like.
    draws: int = Field(
        EvaluateSettings.model_fields["draws"].default, json_schema_extra=flag(internal=True)
    )
    most_videos: int = Field(20_000, json_schema_extra=flag(internal=True))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "split" in self.model_fields_set and self.labels is None:
            raise ValueError("--split is of --labels: give them, or leave it out")
        return self

    @property
    def file(self) -> str:
        """Return the URI of the page."""
        from ah_ray import storage  # both take time to load
        from ah_ray.results.purge import REPORT_FILE

        return storage.normalise(self.to or storage.join(self.out, REPORT_FILE))


def report_settings(**values: object) -> ReportSettings:
    """Return validated settings. Raise ConfigError with a sentence that names the flag."""
    return validate_settings(ReportSettings, values, "OUT")
