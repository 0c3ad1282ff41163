"""Frozen, validated settings, and the fingerprint of what changes a score."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ah_ray.profile import Profile
from ah_ray.reduction import Ensemble, Reduction
from ah_ray.validation import validated

SCORING_VERSION = 1
"""Raised by hand when code changes a clip's score; part of every config_fingerprint."""

VIDEO_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg",
    ".3gp", ".wmv", ".flv", ".ogv",
)  # fmt: skip
"""Names that count as video by default. Others are counted and named in the summary."""

GIB = 1024**3
_HH_MM = re.compile(r"([01]?\d|2[0-3]):[0-5]\d", re.ASCII)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tail(StrEnum):
    """What becomes of a last window shorter than `min_tail_s`."""

    DROP = "drop"
    KEEP = "keep"
    SHIFT = "shift"  # moved back, whole, to end at the video's end


class Windows(_Frozen):
    """Which time intervals of a video are scored. All in seconds from the first picture."""

    window_s: float = Field(5.0, gt=0, le=30)
    hop_s: float = Field(5.0, gt=0)
    tail: Tail = Tail.DROP
    min_tail_s: float = Field(3.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hop_s < 0.25:
            raise ValueError("hop_s is under 0.25 s: that is more clips than frames")
        return self


class Limits(_Frozen):
    """What one video may cost before it is `refused` or a `timeout`.

    Each is a setting of `jobs/score.py` whose name is in the error that it raises.
    """

    max_bytes: int = Field(20 * GIB, gt=0)
    max_pixels: int = Field(8192 * 4352, gt=0, description="per source frame")
    max_duration_s: float = Field(6 * 3600.0, gt=0)
    timeout_s: float = Field(120.0, gt=0, description="a video may take this long …")
    timeout_s_per_mb: float = Field(2.0, ge=0, description="… and this for each 10⁶ bytes of it")
    max_memory_bytes: int = Field(3 * GIB, gt=0, description="address space of one ffmpeg")

    def timeout_for(self, size_bytes: int) -> float:
        """Seconds that a video of this size may take to decode."""
        return self.timeout_s + self.timeout_s_per_mb * size_bytes / 1e6


class Arithmetic(StrEnum):
    """In what numbers the model computes."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    FP8 = "fp8"  # the language model's large products, the rest bf16; only where it is named


class Device(StrEnum):
    """Where replicas run."""

    AUTO = "auto"  # GPU where there is one; `tiny` stays on CPU
    CPU = "cpu"
    GPU = "gpu"


class OneModel(_Frozen):
    """One of several models that score each clip."""

    name: str
    fingerprint: str


class Scoring(_Frozen):
    """All that changes a clip's score. One OUT holds one of these."""

    model: str
    model_fingerprint: str
    profile: Profile
    windows: Windows
    arithmetic: Arithmetic
    models: tuple[OneModel, ...] = ()  # where several score each clip: those, in their order

    def each_alone(self) -> tuple[Scoring, ...]:
        """The scorings of several models one by one, as runs of their own would have them."""
        return tuple(
            self.model_copy(
                update={"model": one.name, "model_fingerprint": one.fingerprint, "models": ()}
            )
            for one in self.models
        )

    @property
    def fingerprint(self) -> str:
        """16 hex digits; names and places (of model and profile) do not enter."""
        content = {
            "scoring_version": SCORING_VERSION,
            "model": self.model_fingerprint,
            "profile": self.profile.model_dump(exclude={"name"}),
            "windows": self.windows.model_dump(mode="json"),
            "arithmetic": self.arithmetic.value,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class ScoreSettings(_Frozen):
    """All settings of `jobs/score.py`, by the names of its flags (and of `--config FILE`)."""

    videos: str
    out: str
    model: tuple[str, ...] = Field(min_length=1, description="of several, each scores every clip")
    adapter: tuple[str, ...] = ()  # LoRA, merged in this order when the model is loaded
    model_cache: str | None = Field(None, description="where nodes keep a model from a bucket")
    profile: str | None = None  # `seed`; `tiny` for the tiny checkpoint
    endings: tuple[str, ...] = VIDEO_ENDINGS
    id_key: str | None = Field(None, description="file whose bytes key the video_id")
    hide_uris: bool = False

    window_s: float = 5.0
    hop_s: float = 5.0
    tail: Tail = Tail.DROP
    min_tail_s: float = 3.0

    reducer: str = "any"
    threshold: float = Field(0.5, ge=0, le=1)
    ensemble: Ensemble | None = None  # vote, for several models
    calibration: tuple[str, ...] = ()  # files of jobs/evaluate.py, one for each model

    arithmetic: Arithmetic | None = None  # float32 on CPU, bf16 on GPU
    device: Device = Device.AUTO
    decoders: int | None = Field(None, ge=1)
    replicas: int | None = Field(None, ge=1)
    gpus_per_replica: int | None = Field(None, ge=1, description="share a model's layers out")

    deadline: str | None = Field(None, description="HH:MM by the driver's clock, or ISO 8601")
    gpu_hours: float | None = Field(None, gt=0, description="GPUs of the cluster × hours")
    log_json: bool = False

    plan: bool = False
    limit: int | None = Field(None, ge=1)
    retry_failed: bool = False
    rescore: bool = False
    max_failed: float = Field(0.2, ge=0, le=1)
    cost_per_hour: float | None = Field(None, ge=0, description="of all machines of the run")

    max_bytes: int = Limits.model_fields["max_bytes"].default
    max_pixels: int = Limits.model_fields["max_pixels"].default
    max_duration_s: float = Limits.model_fields["max_duration_s"].default
    timeout_s: float = Limits.model_fields["timeout_s"].default
    timeout_s_per_mb: float = Limits.model_fields["timeout_s_per_mb"].default
    max_memory_bytes: int = Limits.model_fields["max_memory_bytes"].default

    @field_validator("endings", "adapter", "calibration", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """`.mp4, .webm` is as good as a list."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

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
        _ = (self.windows, self.limits)  # whose own checks speak of these same names
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
    return validated(ScoreSettings, values, "--videos, --out and --model (or --demo alone)")
