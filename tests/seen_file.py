"""What lies in a media file, as PyAV alone sees it: the referee of files that are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np


@dataclass(frozen=True, kw_only=True)
class SeenFile:
    width_px: int  # as displayed, after rotation
    height_px: int
    times_s: np.ndarray  # [N] of the decoded pictures, rising, from the first one
    duration_s: float  # of the picture
    container_s: float  # of the file as a whole
    has_sound: bool


def look_at(path: Path) -> SeenFile:
    """Decode all pictures of a file."""
    with av.open(str(path)) as container:
        has_sound = any(stream.type == "audio" for stream in container.streams)
        container_s = (container.duration or 0) / av.time_base
        frames = [
            (frame.time, frame.width, frame.height, abs(frame.rotation) == 90)
            for frame in container.decode(video=0)
        ]
    times_s = np.array(sorted(time for time, *_ in frames))
    times_s -= times_s[0]
    _, width, height, turned = frames[0]
    if turned:
        width, height = height, width
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    return SeenFile(
        width_px=width,
        height_px=height,
        times_s=times_s,
        duration_s=float(times_s[-1]) + step_s,
        container_s=container_s,
        has_sound=has_sound,
    )
