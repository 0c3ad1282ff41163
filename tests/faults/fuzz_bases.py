"""The valid files that the fuzzer spoils: six containers, two kinds of streams in each.

Small and short, so that thousands decode in minutes; the same bytes each time they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import videos

_SIZE_PX = (96, 64)
_N_FRAMES = 45
_SAME_BYTES = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
_FRAGMENTS = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-bf", "2", "-threads", "1")
_HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1",
         "-tag:v", "hev1")  # fmt: skip
_MPEG4 = ("-c:v", "mpeg4", "-g", "12", "-bf", "2", "-q:v", "3")
_VP8 = ("-c:v", "libvpx", "-deadline", "good", "-cpu-used", "5", "-g", "12")
_VP9 = ("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-g", "12")


@dataclass(frozen=True, slots=True)
class Base:
    """How one valid file is made."""

    name: str
    codec: Sequence[str]
    sound: Sequence[str]
    live: bool = False  # written through a pipe: no duration, no index


RECIPES: Mapping[str, tuple[Base, ...]] = {
    "mp4": (
        Base("h264.mp4", _H264, ("-c:a", "aac", "-movflags", "+faststart")),
        Base("hevc.mp4", _HEVC, ("-c:a", "aac")),
    ),
    "mov": (
        Base("mpeg4.mov", _MPEG4, ("-c:a", "pcm_s16le")),
        Base("fragments.mp4", _H264, ("-c:a", "aac", *_FRAGMENTS)),
    ),
    "webm": (
        Base("vp9.webm", _VP9, ("-c:a", "libopus", "-b:a", "32k")),
        Base("live.webm", _VP8, ("-c:a", "libvorbis"), live=True),
    ),
    "mkv": (
        Base("h264.mkv", _H264, ("-c:a", "flac")),
        Base("mpeg4.mkv", _MPEG4, ("-c:a", "libmp3lame")),
    ),
    "avi": (
        Base("mpeg4.avi", _MPEG4, ("-c:a", "libmp3lame")),
        Base("mjpeg.avi", ("-c:v", "mjpeg", "-q:v", "8"), ("-c:a", "pcm_s16le", "-ar", "8000")),
    ),
    "mpegts": (
        Base("h264.ts", _H264, ("-c:a", "aac")),
        Base("mpeg2.ts", ("-c:v", "mpeg2video", "-g", "12", "-q:v", "6"), ("-c:a", "mp2")),
    ),
}


def make_bases(folder: Path) -> dict[str, list[Path]]:
    """Makes them all; container → its files."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        container: [_make(folder / base.name, base) for base in bases]
        for container, bases in RECIPES.items()
    }


def make_one(folder: Path, container: str) -> Path:
    """Make the first of a container's files."""
    base = RECIPES[container][0]
    return _make(folder / base.name, base)


def _make(path: Path, base: Base) -> Path:
    return videos.make_numbered(
        path,
        n_frames=_N_FRAMES,
        size_px=_SIZE_PX,
        codec=base.codec,
        pixel_format="yuvj420p" if "mjpeg" in base.codec else "yuv420p",
        sound=videos.TONE,
        options=(*base.sound, *_SAME_BYTES),
        live=base.live,
    )
