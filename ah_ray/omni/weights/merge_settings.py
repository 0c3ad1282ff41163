"""All settings of `jobs/merge.py`, by the names of its flags."""

from __future__ import annotations

from pydantic import Field

from ah_ray.flag import flag
from ah_ray.validation import JobSettings, validate_settings


class MergeSettings(JobSettings):
    """Which adapters are merged into which model."""

    base: str = Field(
        description="Model that the adapters were trained on: a folder or s3://….",
        json_schema_extra=flag(metavar="URI"),
    )
    adapter: tuple[str, ...] = Field(
        min_length=1,
        description="Adapter of peft or ms-swift. Repeat the flag for several, in their order.",
        json_schema_extra=flag(metavar="URI"),
    )
    out: str = Field(
        description="New folder for the merged model.",
        json_schema_extra=flag(metavar="FOLDER"),
    )
    any_base: bool = Field(
        False, description="Merge an adapter although its record names another base model."
    )
    cache: str | None = Field(
        None,
        description="Folder in which models that come from an object store are kept.",
        json_schema_extra=flag(metavar="FOLDER"),
    )


def merge_settings(**values: object) -> MergeSettings:
    """Return validated settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(MergeSettings, values, "--base, --adapter and --out")
