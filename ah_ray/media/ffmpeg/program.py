"""Which ffmpeg runs, and its version."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache

import imageio_ffmpeg

from ah_ray.errors import ConfigError


@cache
def ffmpeg_path() -> str:
    """Return the path of the static ffmpeg of imageio-ffmpeg, or the one that AH_RAY_FFMPEG names.

    Raises:
        ConfigError: AH_RAY_FFMPEG names no program.
    """
    override = os.environ.get("AH_RAY_FFMPEG")
    if not override:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    if not os.access(override, os.X_OK):
        raise ConfigError(f"AH_RAY_FFMPEG={override} is not a program: name an ffmpeg 7 or later")
    return override


@cache
def ffmpeg_version() -> str:
    """Return the version of ffmpeg, such as `n9.0.2-17-g2a571b6068`.

    Raises:
        ConfigError: The program does not answer as an ffmpeg does.
    """
    banner = subprocess.run(
        [ffmpeg_path(), "-version"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    found = re.match(r"ffmpeg version (\S+)", banner)
    if not found:
        raise ConfigError(f"{ffmpeg_path()} does not answer as an ffmpeg")
    return found[1]
