"""Which parts of a video are scored, and what a video may cost."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ah_ray.flag import flag
from ah_ray.validation import FrozenModel

_GIB = 1024**3


class Tail(StrEnum):
    """What becomes of a last window shorter than `min_tail_s`."""

    DROP = "drop"
    KEEP = "keep"
    SHIFT = "shift"  # moved back, whole, to end at the video's end


class WindowRules(FrozenModel):
    """How long windows are, and what becomes of the last one. All in seconds."""

    PANEL: ClassVar[str | None] = "Windows"

    window_s: float = Field(
        5.0,
        gt=0,
        le=30,
        description="Length of a window.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    tail: Tail = Field(
        Tail.DROP, description="What to do with a last window that is shorter than --min-tail-s."
    )
    min_tail_s: float = Field(
        3.0,
        ge=0,
        description="Shortest last window that is taken as it is.",
        json_schema_extra=flag(metavar="SECONDS"),
    )


class Windows(WindowRules):
    """Which time intervals of a video are scored. All in seconds from the first picture."""

    PANEL: ClassVar[str | None] = "Windows"

    hop_s: float = Field(
        5.0,
        gt=0,
        description="Time from the start of one window to the start of the next.",
        json_schema_extra=flag(metavar="SECONDS"),
    )

    @model_validator(mode="after")
    def _check_hop(self) -> Self:
        if self.hop_s < 0.25:
            raise ValueError("hop_s is under 0.25 s: that is more clips than frames")
        return self


class Limits(FrozenModel):
    """What one video may cost before it is `refused` or a `timeout`.

    Each is a setting of `jobs/score.py` whose name is in the error that it raises.
    """

    PANEL: ClassVar[str | None] = "Limits for one video"

    max_bytes: int = Field(
        20 * _GIB,
        gt=0,
        description="Largest recording that is opened.",
        json_schema_extra=flag(metavar="BYTES"),
    )
    max_pixels: int = Field(
        8192 * 4352,
        gt=0,
        description="Largest source frame, width times height.",
        json_schema_extra=flag(metavar="PIXELS"),
    )
    max_duration_s: float = Field(
        6 * 3600.0,
        gt=0,
        description="Longest recording that is scored.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    timeout_s: float = Field(
        120.0,
        gt=0,
        description="Time that decoding a video may take.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    timeout_s_per_mb: float = Field(
        2.0,
        ge=0,
        description="Time that is added to --timeout-s for each 10⁶ bytes of the recording.",
        json_schema_extra=flag(metavar="SECONDS"),
    )
    max_memory_bytes: int = Field(
        3 * _GIB,
        gt=0,
        description="Address space of the process that decodes a video.",
        json_schema_extra=flag(metavar="BYTES"),
    )

    def timeout_for(self, size_bytes: int) -> float:
        """Return the seconds that decoding a video of this size may take."""
        return self.timeout_s + self.timeout_s_per_mb * size_bytes / 1e6
