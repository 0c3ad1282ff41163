"""All settings of `jobs/nightly.py`, by the names of its flags."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

import ah_ray
from ah_ray.flag import flag
from ah_ray.validation import FrozenModel, validate_settings

_CLONE = Path(ah_ray.__file__).parent.parent


class NightlySettings(FrozenModel):
    """Which cohort is scored tonight, where, and for how long."""

    score: tuple[str, ...] = Field(
        description="Flags of score.py, after `--`.",
        json_schema_extra=flag(metavar="SCORE_FLAGS", argument=True),
    )
    cohort: str = Field(
        description="Short name of the cohort. It becomes part of the job's id.",
        json_schema_extra=flag(metavar="NAME"),
    )
    address: str = Field(
        "http://127.0.0.1:8265",
        description="Dashboard of the cluster's head.",
        json_schema_extra=flag(metavar="URL", envvar="RAY_API_SERVER_ADDRESS"),
    )
    working_dir: Path | None = Field(
        _CLONE if (_CLONE / "jobs").is_dir() else None,
        description="Folder that the job takes along. The code of a clone runs from it; without "
        "one, the package that is installed on the cluster.",
        json_schema_extra=flag(metavar="FOLDER", default="this clone, if it is one"),
    )
    deadline: str | None = Field(
        None,
        description="Time of day, on this machine, at which the run stops. The rest is for the "
        "next night.",
        json_schema_extra=flag(metavar="HH:MM"),
    )
    gpu_hours: float | None = Field(
        None,
        description="Stop when the GPUs of the cluster were up for so long, all of them together.",
        json_schema_extra=flag(metavar="HOURS"),
    )
    notify: str | None = Field(
        None,
        description="URL to which the outcome is posted as JSON.",
        json_schema_extra=flag(metavar="URL", envvar="AH_RAY_NOTIFY"),
    )
    again: bool = Field(False, description="Make one more attempt, although this night has ended.")


def nightly_settings(**values: object) -> NightlySettings:
    """Return validated settings. Raise ConfigError with one sentence that names the flag."""
    return validate_settings(NightlySettings, values, "--cohort and the flags of score.py")
