"""ffmpeg's scaling against the reference resize of the same decoded pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import videos

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg.program import ffmpeg_path
from ah_ray.profile import ScaleIn, load_profile

GOLDEN = np.load(Path(__file__).parents[1] / "goldens/vision_resize.npz")
PROFILE = load_profile("seed-32").model_copy(
    update={"max_pixels": 262_144, "scale_in": ScaleIn.YUV}
)


def psnr_db(ours: np.ndarray, theirs: np.ndarray) -> float:
    error = np.mean((ours.astype(float) - theirs.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def reference_resize(picture: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """The reference's: bicubic, antialiased, in float32, clamped and rounded."""
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    width_px, height_px = size_px
    resized = torch.nn.functional.interpolate(
        pixels, size=(height_px, width_px), mode="bicubic", antialias=True, align_corners=False
    )
    return resized.clamp(0, 255).round()[0].permute(1, 2, 0).to(torch.uint8).numpy()


def encode(path: Path, picture: np.ndarray, *options: str) -> Path:
    height_px, width_px, _ = picture.shape
    videos.run_ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}", "-r", "25"),
        *("-i", "pipe:0", *options, path),
        stdin=picture.tobytes() * 8,
    )
    return path


def decoded_frame(path: Path) -> np.ndarray:
    clip = next(decode(path, profile=PROFILE, windows=Windows(), limits=Limits()))
    return clip.frames[0]


def full_size_rgb(path: Path, picture: np.ndarray) -> np.ndarray:
    """The decoded picture at its own size, converted as well as ffmpeg can."""
    command = [ffmpeg_path(), "-v", "error", "-i", path, "-frames:v", "1", "-vf"]
    command += ["scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"]
    command += ["-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(picture.shape)


@pytest.mark.parametrize("name", ["hd_to_448", "up"])
def test_our_reference_resize_is_the_golden_one(name):
    source, expected = GOLDEN[f"{name}_source_hwc_u8"], GOLDEN[f"{name}_resized_hwc_u8"]
    assert np.array_equal(reference_resize(source, expected.shape[1::-1]), expected)


@pytest.mark.parametrize("name", ["hd_to_448", "up"])
def test_rgb_pictures_come_out_as_the_reference_resizes_them(tmp_path, name):
    source, expected = GOLDEN[f"{name}_source_hwc_u8"], GOLDEN[f"{name}_resized_hwc_u8"]
    path = encode(tmp_path / "v.mkv", source, "-c:v", "ffv1", "-pix_fmt", "gbrp")
    ours = decoded_frame(path)
    assert ours.shape == expected.shape
    assert psnr_db(ours, expected) >= 60


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("name", ["hd_to_448", "up"])
def test_h264_pictures_are_within_40_db_of_the_reference(tmp_path, name, pixel_format):
    source, expected = GOLDEN[f"{name}_source_hwc_u8"], GOLDEN[f"{name}_resized_hwc_u8"]
    options = ("-c:v", "libx264", "-crf", "18", "-pix_fmt", pixel_format)
    path = encode(tmp_path / "v.mp4", source, *options)
    theirs = reference_resize(full_size_rgb(path, source), expected.shape[1::-1])
    assert psnr_db(decoded_frame(path), theirs) >= 45  # 40 is asked
