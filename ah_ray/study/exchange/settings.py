"""The settings of `jobs/export.py`, by the names of its flags."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ah_ray.flag import flag
from ah_ray.validation import JobSettings, validate_settings


class Tool(StrEnum):
    """What the files are for."""

    ELAN = "elan"
    BORIS = "boris"
    LABEL_STUDIO = "label-studio"
    BIDS = "bids"
    REDCAP = "redcap"
    CSV = "csv"


class ExportSettings(JobSettings):
    """Without `link_videos` and `plain_participants` the files name no recording and nobody."""

    scores: str = Field(
        description="Output of score.py or reduce.py.",
        json_schema_extra=flag(metavar="OUT", argument=True),
    )
    to: Tool = Field(description="The tool that reads the files.")
    out: str = Field(
        description="Folder or s3://… prefix for the files, in which nothing is yet.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    labels: str | None = Field(
        None,
        description="Labelled manifest of prepare.py, whose segments and annotators' marks are "
        "exported too.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    participants: str | None = Field(
        None,
        description="Table (CSV or Parquet) with participant, and video_id or uri.",
        json_schema_extra=flag(metavar="TABLE"),
    )
    plain_participants: bool = Field(
        False, description="Show participants and visits by the names that the study uses."
    )
    link_videos: bool = Field(
        False, description="Name the recordings, so that the tool opens them where they are."
    )
    id_key: str | None = Field(
        None,
        description="File whose content keys the pseudonyms of participants.",
        json_schema_extra=flag(metavar="FILE"),
    )


def export_settings(**values: object) -> ExportSettings:
    """Return valid settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(ExportSettings, values, "OUT, --to and --out")
