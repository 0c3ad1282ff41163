"""Which ffmpeg runs, its version, and how an untrusted file is named to it."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from ah_ray.config import Limits
from ah_ray.errors import ConfigError

_DEMUXERS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg,dv,mp3,wav,aac,flac"
"""Real containers only. Playlists, scripts and image sequences name other resources."""


@cache
def ffmpeg_path() -> str:
    """The static ffmpeg of imageio-ffmpeg, or the one that AH_RAY_FFMPEG names.

    Raises ConfigError if that one is not there.
    """
    override = os.environ.get("AH_RAY_FFMPEG")
    if not override:
        return imageio_ffmpeg.get_ffmpeg_exe()
    if not os.access(override, os.X_OK):
        raise ConfigError(f"AH_RAY_FFMPEG={override} is not a program: name an ffmpeg 7 or later")
    return override


@cache
def ffmpeg_version() -> str:
    """Such as `n9.0.2-17-g2a571b6068`. Raises ConfigError if the program does not say."""
    banner = subprocess.run(
        [ffmpeg_path(), "-version"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    found = re.match(r"ffmpeg version (\S+)", banner)
    if not found:
        raise ConfigError(f"{ffmpeg_path()} does not answer as an ffmpeg")
    return found[1]


def input_options(
    path: Path, limits: Limits, *, start_s: float | None = None, seconds: float | None = None
) -> list[str]:
    """The command up to its input: one thread, this file and nothing else.

    With `start_s` and `seconds`, only that stretch of it, whose beginning then is time 0.

    `file:` takes any name as it is, a leading dash too; nothing on the network, no other file,
    and no demuxer that could name one is within reach.
    """
    return [
        ffmpeg_path(),
        *("-hide_banner", "-nostdin", "-nostats"),
        *("-threads", "1", "-filter_threads", "1"),
        *("-max_error_rate", "1"),
        *("-max_pixels", str(limits.max_pixels)),
        *("-protocol_whitelist", "file", "-format_whitelist", _DEMUXERS),
        *(() if start_s is None else ("-ss", f"{start_s:.6f}")),
        *(() if seconds is None else ("-t", f"{seconds:.6f}")),
        *("-i", f"file:{path}"),
    ]
