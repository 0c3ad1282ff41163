"""Makes the plain recordings that others are built from: numbered pictures and beeps, small.

A session begins at any second of the true clock. Each is encoded once for a folder and kept there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import videos

SIZE_PX = (320, 180)
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-threads", "1")
H264_B = ("-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-bf", "2", "-threads", "1")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k", "-g", "50")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k", "-g", "50")
MPEG4 = ("-c:v", "mpeg4", "-bf", "2", "-q:v", "4")
MPEG2 = ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "4")
AAC = ("-c:a", "aac", "-b:a", "64k")
OPUS = ("-c:a", "libopus", "-b:a", "48k")
MP3 = ("-c:a", "libmp3lame", "-b:a", "96k")
AC3 = ("-c:a", "ac3", "-b:a", "192k")
PCM = ("-c:a", "pcm_s16le")


def beeps(true_s: float = 0.0, *, level: float = 0.5) -> str:
    """Return ffmpeg's expression in t for the beeps of a session that begins at that second."""
    clock = f"(t+{true_s})"
    return f"{level}*sin(2*PI*(400+50*floor({clock}))*t)*lt(mod({clock},1),0.1)*gte({clock},1)"


def numbers(true_s: float, seconds: float, fps: str) -> list[int]:
    """Return the number of each picture of a session: the nearest to its time."""
    rate = Fraction(fps)
    n_frames = max(1, round(Fraction(seconds) * rate))
    return [round(25 * (Fraction(true_s) + n / rate)) for n in range(n_frames)]


def pictures(true_s: float, seconds: float, fps: str, size_px: tuple[int, int]) -> bytes:
    """Return raw grey pictures, each with the number of its time."""
    return b"".join(
        videos.numbered_frame(number, *size_px).tobytes()
        for number in numbers(true_s, seconds, fps)
    )


CHART = np.array(
    [
        [(235, 235, 235), (190, 40, 40), (40, 190, 40), (40, 40, 190)],
        [(220, 170, 140), (128, 128, 128), (190, 190, 40), (16, 16, 16)],
    ],
    np.uint8,
)
"""`[2, 4, 3]` RGB: patches of a colour chart, one of them like skin."""


def colour_chart(
    folder: Path, ending: str, *, matrix: str, full_range: bool, codec: Sequence[str], pixels: str
) -> Path:
    """Return 2 s of the colour chart in a tagged YUV of that matrix and range."""
    path = folder / f"chart.{ending}"
    raw = np.repeat(np.repeat(CHART, 120, axis=0), 80, axis=1).tobytes() * 50
    colour_range = "pc" if full_range else "tv"
    primaries = "bt2020" if "2020" in matrix else matrix
    names = {"bt2020nc": "bt2020"}
    chain = f"scale=out_color_matrix={names.get(matrix, matrix)}:out_range={colour_range}"
    videos.run_ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "-r", "25", "-i", "pipe:0"),
        *("-vf", f"{chain},format={pixels}", *codec, "-colorspace", matrix),
        *("-color_range", colour_range, "-color_primaries", primaries, "-color_trc", "bt709"),
        path,
        stdin=raw,
    )
    return path


def circles(seconds: float, size_px: tuple[int, int]) -> bytes:
    """Return raw grey pictures of one light circle on black."""
    width, height = size_px
    y, x = np.mgrid[:height, :width]
    radius = 0.3 * min(size_px)
    inside = (y - height / 2 + 0.5) ** 2 + (x - width / 2 + 0.5) ** 2 < radius**2
    return (inside * np.uint8(219) + np.uint8(16)).tobytes() * round(25 * seconds)


def session(
    folder: Path,
    ending: str,
    *,
    true_s: float = 0.0,
    seconds: float = 12.0,
    fps: str = "25",
    size_px: tuple[int, int] = SIZE_PX,
    video: Sequence[str] | None = H264,
    sound: Sequence[str] | None = AAC,
    channels: Sequence[str] | None = None,
    sound_s: tuple[float, float] | None = None,
    rate_hz: int = 48_000,
    pixels: str = "yuv420p",
    options: Sequence[str] = (),
    inputs: Sequence[str] = (),
    circle: bool = False,
) -> Path:
    """Return a recording of some seconds of the true clock, from `true_s` on.

    `channels` are expressions in t, one for each channel of the sound; mono beeps by default.
    `sound_s` is (from, to) on the true clock, where the sound is not as long as the picture.
    """
    words = (
        ending, true_s, seconds, fps, size_px, video, sound, channels, sound_s, rate_hz, pixels,
        options, inputs, circle,
    )  # fmt: skip
    name = hashlib.sha256(repr(words).encode()).hexdigest()[:16]
    path = folder / f"{name}.{ending}"
    if path.exists():
        return path
    sound_from, sound_to = sound_s or (true_s, true_s + seconds)
    late_s = max(0.0, true_s - sound_from) if sound is not None else 0.0
    command: list[str] = []
    raw = b""
    if video is not None:
        raw = circles(seconds, size_px) if circle else pictures(true_s, seconds, fps, size_px)
        command += ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{size_px[0]}x{size_px[1]}"]
        command += ["-framerate", fps, "-itsoffset", f"{late_s}", *inputs, "-i", "pipe:0"]
    if sound is not None:
        expressions = "|".join(channels or [beeps(sound_from)])
        command += ["-itsoffset", f"{max(0.0, sound_from - true_s)}", "-f", "lavfi", "-i"]
        command += [f"aevalsrc='{expressions}':s={rate_hz}:d={sound_to - sound_from}"]
    late = ("-fps_mode", "passthrough") if late_s else ()  # else the first picture fills the gap
    encode = [*late, *(video or ()), *(("-pix_fmt", pixels) if video else ()), *(sound or ())]
    half = path.with_name(f"half-{path.name}")
    videos.run_ffmpeg(*command, *encode, *options, half, stdin=raw)
    half.rename(path)
    return path
