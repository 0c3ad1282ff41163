"""One decoded picture as a JPEG, for a page that shows it."""

from __future__ import annotations

import subprocess

import numpy as np

from ah_ray.media.ffmpeg import ffmpeg_path

_QUALITY = "6"  # of ffmpeg's 2 (best) to 31
_TIMEOUT_S = 60


def jpeg(frame: np.ndarray) -> bytes:
    """Of `[H, W, 3] uint8` RGB, H and W even. It holds the pixels and nothing else."""
    height_px, width_px, _ = frame.shape
    command = [
        *(ffmpeg_path(), "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}", "-i", "pipe:0"),
        *("-frames:v", "1", "-c:v", "mjpeg", "-q:v", _QUALITY, "-flags", "+bitexact"),
        *("-f", "mjpeg", "pipe:1"),
    ]
    pixels = np.ascontiguousarray(frame).tobytes()
    return subprocess.run(
        command, input=pixels, capture_output=True, check=True, timeout=_TIMEOUT_S
    ).stdout
