"""Frozen, validated settings, and the fingerprint of what changes a score."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ah_ray.profile import Profile

SCORING_VERSION = 1
"""Raised by hand when code changes a clip's score; part of every config_fingerprint."""

VIDEO_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg",
    ".3gp", ".wmv", ".flv", ".ogv",
)  # fmt: skip
"""Names that count as video by default. Others are counted and named in the summary."""

GIB = 1024**3


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


class Reduction(_Frozen):
    """How clips become a verdict. Cheap: a change of it needs no new scoring."""

    reducer: str = "any"
    threshold: float = Field(0.5, ge=0, le=1)
    calibration_fingerprint: str | None = None


class Scoring(_Frozen):
    """All that changes a clip's score. One OUT holds one of these."""

    model: str
    model_fingerprint: str
    profile: Profile
    windows: Windows
    arithmetic: Arithmetic

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
