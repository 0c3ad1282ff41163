"""How long the windows of a video are, and how far apart: one choice for a whole OUT."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ah_ray.flag import flag
from ah_ray.validation import FrozenModel


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
