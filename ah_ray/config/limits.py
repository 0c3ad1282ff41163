"""What one video may cost: bytes, pixels, seconds, memory."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ah_ray.flag import flag
from ah_ray.validation import FrozenModel

_GIB = 1024**3


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
