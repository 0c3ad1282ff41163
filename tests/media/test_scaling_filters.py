"""The filters that scale a decoded picture, against the reference's arithmetic on the same picture.

The reference converts to RGB at full size (libswscale's own converter, as decord uses it) and then
resizes with torch: bicubic, antialiased, in float32, clamped and rounded, once or twice.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from ah_ray.media.ffmpeg.program import ffmpeg_path
from ah_ray.media.resize import scaling_filters, scaling_stages
from ah_ray.profile import Profile, ScaleIn, load_profile

CLIPS = Path(__file__).parents[1] / "goldens/swift/clips"
SIZES = {
    "01f260af1065225e-0000": (320, 320),
    "1769cb0ae9e18ae3-0000": (200, 150),
    "25438a939790c720-0000": (352, 640),
    "2e43ddcd51fd8d03-0000": (1280, 720),
    "62dba8f476d504c7-0000": (852, 480),
    "6ce148c9c5eeb831-0000": (640, 360),
}
N_PICTURES = 3


def pictures(name: str, filters: Sequence[tuple[str, str]]) -> np.ndarray:
    """Every 20th picture of a clip through the filters: `[T, H, W, 3] uint8`."""
    chain = ",".join(f"{name}={arguments}" if arguments else name for name, arguments in filters)
    command = [ffmpeg_path(), "-v", "error", "-i", str(CLIPS / f"{name}.mp4")]
    command += ["-vf", f"select='not(mod(n,20))',{chain}", "-fps_mode", "passthrough"]
    command += ["-frames:v", str(N_PICTURES), "-f", "rawvideo", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    width_px, height_px = SIZES[name]
    for stage in (arguments.split(":") for kind, arguments in filters if kind == "scale"):
        if len(stage) > 1:
            width_px, height_px = int(stage[0]), int(stage[1])
    return np.frombuffer(data, np.uint8).reshape(N_PICTURES, height_px, width_px, 3)


def resized(rgb: np.ndarray, stages: Sequence[tuple[int, int]]) -> np.ndarray:
    """As torchvision's `resize` has it for uint8: float32 between rounded stages."""
    pixels = torch.from_numpy(rgb.copy()).permute(0, 3, 1, 2)
    for width_px, height_px in stages:
        pixels = torch.nn.functional.interpolate(
            pixels.float(), size=(height_px, width_px), mode="bicubic", antialias=True
        )
        pixels = pixels.clamp(0, 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).numpy()


def differences(name: str, profile: Profile) -> np.ndarray:
    """Grey levels between the filters' pictures and the reference's."""
    width_px, height_px = SIZES[name]
    convert = [("scale", f"{width_px}:{height_px}:flags=bicubic"), ("format", "rgb24")]
    stages = scaling_stages(width_px, height_px, profile)
    expected = resized(pictures(name, convert), stages)
    filters = scaling_filters(width_px, height_px, stages, profile.scale_in, "yuv420p")
    packed = [("scale", ""), ("format", "rgb24")]  # planes come out; the program writes pixels
    ours = pictures(name, [*filters, *packed])
    assert ours.shape == expected.shape
    return np.abs(ours.astype(int) - expected)


@pytest.mark.parametrize("profile", ["seed", "seed-32", "seed-448"])
@pytest.mark.parametrize("name", SIZES)
def test_rgb_pictures_are_the_references(name, profile):
    profile = load_profile(profile)
    grey_levels = differences(name, profile)
    n_stages = len(scaling_stages(*SIZES[name], profile))
    assert grey_levels.max() <= n_stages  # 0 where nothing is scaled, 1 a stage
    assert grey_levels.mean() <= 0.05


@pytest.mark.parametrize("name", [name for name, size in SIZES.items() if size[0] % 16 == 0])
def test_a_step_is_saved_where_it_changes_nothing(name):
    width_px, height_px = SIZES[name]
    stages = scaling_stages(width_px, height_px, load_profile("seed-448"))
    packed = [("scale", ""), ("format", "rgb24")]
    short = scaling_filters(width_px, height_px, stages, ScaleIn.RGB, "yuv420p")
    long = scaling_filters(width_px, height_px, stages, ScaleIn.RGB)
    assert len(short) < len(long) or not stages
    np.testing.assert_array_equal(
        pictures(name, [*short, *packed]), pictures(name, [*long, *packed])
    )


@pytest.mark.parametrize("profile", ["seed", "seed-32"])
def test_pictures_scaled_as_they_were_decoded_are_not(profile):
    """What `scale_in: yuv` costs, so that nobody takes it for the reference."""
    yuv = load_profile(profile).model_copy(update={"scale_in": ScaleIn.YUV})
    name = "01f260af1065225e-0000"
    grey_levels = differences(name, yuv)
    assert grey_levels.max() > 5 and 0.3 < grey_levels.mean() < 2


@pytest.mark.parametrize("scale_in", list(ScaleIn))
def test_a_picture_that_is_shown_in_its_own_size_is_only_converted(scale_in):
    assert scaling_stages(352, 640, load_profile("seed-32")) == []
    assert scaling_filters(352, 640, [], scale_in) == [
        ("scale", "352:640:flags=bicubic"),
        ("format", "rgb24"),
    ]


def test_oblong_pixels_are_scaled_even_to_the_size_in_which_they_are_displayed():
    """1024×576 is shown as it is by `seed-32`, and was stored in 720×576."""
    profile = load_profile("seed-32")
    assert scaling_stages(1024, 576, profile) == []
    assert scaling_stages(1024, 576, profile, stored_px=(720, 576)) == [(1024, 576)]
    published = scaling_stages(1024, 576, load_profile("seed"), stored_px=(720, 576))
    assert published == [(1008, 560), (1024, 576)]
