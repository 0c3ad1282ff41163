"""Invented talking faces, for the demonstration and for tests: no person was recorded.

A scene lasts up to 5 s: a drawn face whose mouth slowly turns up or down, and a voice-like tone
whose pitch slowly rises or falls. Where face and voice disagree, the scene shows A/H; neither of
them alone tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import VideoError
from ah_ray.media.ffmpeg.ffmpeg_process import Stream, file_output, raw_input, run_ffmpeg
from ah_ray.media.sandbox.open_files import overwrite

RATE_HZ = 16_000
SIZE_PX = 128
FPS = 25
_DRAWING_S = 3600.0
_MAX_FILE_BYTES = 8 << 30
_CLARITY = (0.2, 1.0)  # how far mouth and pitch move: some scenes are hard to read


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One clip's worth of face and voice; `seed` draws all that does not matter."""

    smiling: bool
    rising: bool
    seconds: float = 5.0
    seed: int = 0

    @property
    def shows_ah(self) -> bool:
        """Return whether face and voice disagree."""
        return self.smiling != self.rising


def random_scenes(n_scenes: int, seed: int) -> list[Scene]:
    """Return scenes of 5 s with face and voice drawn independently."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, 2, size=(n_scenes, 2)).astype(bool)
    return [
        Scene(smiling=bool(smile), rising=bool(rise), seed=int(rng.integers(2**31)))
        for smile, rise in draws
    ]


def draw_face(scene: Scene, *, size_px: int = SIZE_PX, fps: int = FPS) -> Iterator[np.ndarray]:
    """Return the scene's frames, [size_px, size_px, 3] uint8, `round(seconds · fps)` of them."""
    rng = np.random.default_rng([scene.seed, 1])
    n_frames = round(scene.seconds * fps)
    y, x = np.mgrid[0:size_px, 0:size_px] / size_px - 0.5
    skin = rng.uniform((150, 105, 80), (235, 190, 165))
    wall = rng.uniform(30, 140, size=3)
    dark = rng.uniform(20, 60, size=3)
    phase, sway = rng.uniform(0, 2 * np.pi), rng.uniform(0.01, 0.03)
    blink_at = rng.uniform(0, 1)
    noise = rng.normal(0, 3, size=(2, size_px, size_px, 1))
    towards = rng.uniform(*_CLARITY) * (1 if scene.smiling else -1)
    for index in range(n_frames):
        done = index / max(1, n_frames - 1)
        cx = sway * np.sin(2 * np.pi * done + phase)
        cy = sway * np.cos(3 * np.pi * done + phase)
        u, v = x - cx, y - cy
        picture = np.broadcast_to(wall, (size_px, size_px, 3)).copy()
        picture[(u / 0.32) ** 2 + (v / 0.42) ** 2 < 1] = skin
        eyes = 0.015 if abs(done - blink_at) < 0.02 else 0.045
        picture[((np.abs(u) - 0.13) / 0.05) ** 2 + ((v + 0.12) / eyes) ** 2 < 1] = dark
        bend = towards * 3.2 * (2 * done - 1)
        open_by = 0.012 + 0.012 * abs(np.sin(2 * np.pi * 3 * done * scene.seconds / 5 + phase))
        lips = 0.2 - bend * (u**2 - 0.0075)
        picture[(np.abs(v - lips) < open_by) & (np.abs(u) < 0.16)] = (150, 30, 40)
        yield np.clip(picture + noise[index % 2], 0, 255).astype(np.uint8)


def sing(scene: Scene, *, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return the scene's sound, [round(seconds · rate_hz)] float32 in −1…1."""
    rng = np.random.default_rng([scene.seed, 2])
    n = round(scene.seconds * rate_hz)
    done = np.arange(n) / n
    low = rng.uniform(110, 200)
    towards = rng.uniform(*_CLARITY) * (1 if scene.rising else -1)
    pitch_hz = low * 2.0 ** (0.5 + towards * (done - 0.5))
    angle = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    tone = sum(np.sin(k * angle) / k for k in range(1, 6))
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(3, 5) * done * scene.seconds)
    hiss = rng.normal(0, 0.01, size=n)
    return (0.2 * tone * syllables + hiss).astype(np.float32)


def write_video(
    target: Path | BinaryIO, scenes: Sequence[Scene], *, size_px: int = SIZE_PX
) -> None:
    """Write the scenes, one after another, as H.264 and AAC into an MP4: a path or an open file.

    Raise RuntimeError if ffmpeg cannot do so.
    """
    with TemporaryFile() as pictures, TemporaryFile() as sound, overwrite(target) as mp4:
        for scene in scenes:
            for frame in draw_face(scene, size_px=size_px):
                pictures.write(frame.tobytes())
            sound.write(sing(scene).tobytes())
        for drawn in (pictures, sound):
            drawn.seek(0)
        size = f"{size_px}x{size_px}"
        draw(
            raw_input(pictures, f="rawvideo", pix_fmt="rgb24", s=size, r=FPS),
            raw_input(sound, f="f32le", ar=RATE_HZ, ac=1),
            drawn=(pictures, sound),
            file=mp4,
            f="mp4",
            pix_fmt="yuv420p",
            preset="veryfast",
            crf=24,
            threads=1,
            movflags="+faststart",
            **{"c:v": "libx264", "c:a": "aac", "b:a": "48k"},
        )


def draw(*inputs: Stream, drawn: Sequence[BinaryIO], file: BinaryIO, **options: Any) -> None:
    """Have ffmpeg write `file` from inputs that are `drawn`; options are its own, by name.

    Raise RuntimeError if it fails.
    """
    try:
        run_ffmpeg(
            file_output(*inputs, file=file, **options),
            files=[*drawn, file],
            limits=Limits(),
            deadline=time.monotonic() + _DRAWING_S,
            max_file_bytes=_MAX_FILE_BYTES,
            reread=file,
        )
    except VideoError as error:
        raise RuntimeError(f"a video could not be drawn: {error}") from None
