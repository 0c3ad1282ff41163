"""Which libav decodes."""

from __future__ import annotations

from functools import cache

import av


@cache
def libav_version() -> str:
    """Return FFmpeg's version and that of its Python binding, such as `8.1.2, PyAV 18.1.0`."""
    return f"{av.ffmpeg_version_info}, PyAV {av.__version__}"
