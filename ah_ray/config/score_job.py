"""All settings of `jobs/score.py`, by the names of its flags."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ah_ray.config.containers import VIDEO_ENDINGS
from ah_ray.config.limits import Limits
from ah_ray.config.scoring import Arithmetic
from ah_ray.config.windows import Windows
from ah_ray.flag import flag
from ah_ray.validation import FrozenModel, validate_settings
from ah_ray.verdicts.reduction import Ensemble, Reduction, VerdictChoice

_NOT_GROUPS = ("uri", "video_id", "participant", "visit", "question")
_HH_MM = re.compile(r"([01]?\d|2[0-3]):[0-5]\d", re.ASCII)


class Device(StrEnum):
    """Where replicas run."""

    AUTO = "auto"  # GPU where there is one; `tiny` stays on CPU
    CPU = "cpu"
    GPU = "gpu"


class CohortSettings(FrozenModel):
    """Which videos of the cohort are scored by a run, and under which names."""

    PANEL: ClassVar[str | None] = "Which videos"

    plan: bool = Field(False, description="Print what a run would do, and do nothing.")
    limit: int | None = Field(None, ge=1, description="Score at most N of the pending videos.")
    retry_failed: bool = Field(False, description="Score the videos again that failed.")
    rescore: bool = Field(
        False, description="Replace the rows of another model, profile or window length."
    )
    endings: tuple[str, ...] = Field(
        VIDEO_ENDINGS,
        description="Endings of names that count as video, separated by commas.",
        json_schema_extra=flag(metavar=".EXT,.EXT", with_commas=True),
    )
    id_key: str | None = Field(
        None,
        description="File whose content keys each video_id, so that nobody can guess the name "
        "behind it.",
        json_schema_extra=flag(metavar="FILE"),
    )
    hide_uris: bool = Field(False, description="Keep names and paths out of all outputs and logs.")
    group_by: tuple[str, ...] = Field(
        (),
        description="Column of the manifest that rows keep, for groups in evaluate.py. Repeat the "
        "flag for several.",
        json_schema_extra=flag(metavar="COLUMN"),
    )


class ModelSettings(FrozenModel):
    """What scores the clips, beside the checkpoint."""

    PANEL: ClassVar[str | None] = "Model"

    profile: str | None = Field(
        None,
        description="Prompt, and how clips are shown: a built-in profile (seed, seed-why, "
        "seed-448, swift-4.6 …) or a YAML file.",
        json_schema_extra=flag(
            metavar="NAME|FILE", default="what the model's training recorded, else seed"
        ),
    )
    ask: tuple[str, ...] = Field(
        (),
        description="Further question of the profile that is asked; the first one always is. "
        "Repeat the flag.",
        json_schema_extra=flag(metavar="NAME", default="all of the profile"),
    )
    profile_anyway: bool = Field(
        False, description="Use --profile although the model was trained with another one."
    )
    arithmetic: Arithmetic | None = Field(
        None,
        description="Numbers in which the model computes.",
        json_schema_extra=flag(default="bf16 on GPUs, float32 on CPUs"),
    )
    adapter: tuple[str, ...] = Field(
        (),
        description="LoRA adapter that is merged when the model is loaded. Repeat the flag for "
        "several, in their order.",
        json_schema_extra=flag(metavar="URI"),
    )
    any_base: bool = Field(
        False, description="Merge an adapter although its record names another base model."
    )
    keep_embeddings: bool = Field(
        False,
        description="Keep the model's hidden state at the answer about each clip, in "
        "OUT/embeddings, for clips.py --diverse and status.py --duplicates.",
    )
    model_cache: str | None = Field(
        None,
        description="Folder in which each node keeps a model that comes from an object store.",
        json_schema_extra=flag(metavar="FOLDER"),
    )


class VerdictSettings(VerdictChoice):
    """How the scores of clips become verdicts, and how many of those may fail."""

    PANEL: ClassVar[str | None] = "Verdict"

    max_failed: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of the cohort that may fail. Above it the exit status is 5.",
        json_schema_extra=flag(metavar="SHARE"),
    )


class MachineSettings(FrozenModel):
    """Where a run works, for how long, and what it reports."""

    PANEL: ClassVar[str | None] = "Machines"

    device: Device = Field(
        Device.AUTO,
        description="Where models run. With auto, on GPUs where there are any, but tiny on CPUs.",
    )
    decoders: int | None = Field(
        None,
        ge=1,
        description="Processes that decode.",
        json_schema_extra=flag(default="as many as there are free CPU cores"),
    )
    replicas: int | None = Field(
        None,
        ge=1,
        description="Copies of the model that are loaded.",
        json_schema_extra=flag(default="as many as fit the GPUs"),
    )
    gpus_per_replica: int | None = Field(
        None,
        ge=1,
        description="GPUs of one node over which one copy of the model is spread.",
        json_schema_extra=flag(default="1 where GPUs are used"),
    )
    cost_per_hour: float | None = Field(
        None,
        ge=0,
        description="What all machines of the run cost together, for the plan and the summary.",
        json_schema_extra=flag(metavar="PRICE"),
    )
    deadline: str | None = Field(
        None,
        description="Time of day at which the run stops. The rest is for the next run.",
        json_schema_extra=flag(metavar="HH:MM"),
    )
    gpu_hours: float | None = Field(
        None,
        gt=0,
        description="Stop when the GPUs of the cluster were up for so long, all of them together.",
        json_schema_extra=flag(metavar="HOURS"),
    )
    log_json: bool = Field(
        False, description="Print events as JSON lines, for programs that collect logs."
    )
    no_lease: bool = Field(
        False,
        description="Do not keep other runs out of OUT. For stores without conditional writes.",
    )
    require_cage: bool = Field(
        False, description="Decode only where the kernel has every guard of the decoder's sandbox."
    )


class ScoreSettings(
    Limits, MachineSettings, VerdictSettings, Windows, ModelSettings, CohortSettings
):
    """All settings of `jobs/score.py`, by the names of its flags (and of `--config FILE`)."""

    PANEL: ClassVar[str | None] = None

    videos: str = Field(
        description="Folder, s3://… prefix, or manifest (.parquet, .csv).",
        json_schema_extra=flag(metavar="URI"),
    )
    out: str = Field(
        description="Folder or s3://… prefix for rows and tables.",
        json_schema_extra=flag(metavar="URI"),
    )
    model: tuple[str, ...] = Field(
        min_length=1,
        description="Checkpoint of Qwen3-Omni: a folder, s3://…, or tiny. Repeat the flag, and "
        "each model scores every clip.",
        json_schema_extra=flag(metavar="URI"),
    )

    @field_validator("endings", "adapter", "calibration", "ask", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Accept `.mp4, .webm` for a list, and an empty text for an empty one."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, list | tuple):
            return tuple(part for part in value if part != "")
        return value

    @field_validator("group_by")
    @classmethod
    def _of_many(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        for name in columns:
            if name in _NOT_GROUPS:
                raise ValueError(f"rows hold {name} anyway: name another column of the manifest")
        return tuple(dict.fromkeys(columns))

    @field_validator("deadline")
    @classmethod
    def _time_of_day(cls, value: str | None) -> str | None:
        if value is None or _HH_MM.fullmatch(value):
            return value
        try:
            return datetime.fromisoformat(value if "T" in value else "").astimezone().isoformat()
        except ValueError:
            raise ValueError("give a time of day as HH:MM, like 06:30") from None

    @field_validator("model", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ensemble and len(self.model) == 1:
            raise ValueError("--ensemble combines several models: give --model for each")
        if self.adapter and len(self.model) > 1:
            raise ValueError(
                "--adapter goes with one --model: of several, merge them first (jobs/merge.py)"
            )
        return self

    @property
    def windows(self) -> Windows:
        return Windows(**self.model_dump(include=set(Windows.model_fields)))

    @property
    def limits(self) -> Limits:
        return Limits(**self.model_dump(include=set(Limits.model_fields)))

    @property
    def reduction(self) -> Reduction:
        """As it is asked for: what is not given stays unset, for a calibration to say."""
        given = self.model_dump(include=self.model_fields_set & {"reducer", "threshold"})
        if len(self.model) > 1:
            given["ensemble"] = self.ensemble or Ensemble.VOTE
        return Reduction(**given)


def score_settings(**values: object) -> ScoreSettings:
    """Validated settings; raises ConfigError with one sentence that names the flag."""
    return validate_settings(ScoreSettings, values, "--videos, --out and --model (or --demo alone)")
