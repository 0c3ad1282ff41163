"""What a profile may say of sizes, colours and times, and what follows from it for a clip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.profile import Profile, ScaleIn, built_in_names, load_profile
from ah_ray.records import Clip

PROMPT = "user: <video> <audio>\nmin_pixels: 4096\nmax_pixels: 8192\n"


def load_text(tmp_path, text: str) -> Profile:
    path = tmp_path / "mine.yaml"
    path.write_text(PROMPT + text)
    return load_profile(str(path))


def test_built_in_profiles_ask_the_same_and_show_it_each_in_its_own_way():
    profiles = {name: load_profile(name) for name in built_in_names()}
    assert set(profiles) >= {"seed", "seed-32", "seed-448", "swift-4.6", "tiny"}
    assert len({profiles[name].user for name in ("seed", "seed-32", "swift-4.6")}) == 1
    shows = {
        name: (p.first_resize and p.first_resize.factor, p.second_per_grid, p.scale_in)
        for name, p in profiles.items()
    }
    assert shows["seed"] == (28, 2.0, ScaleIn.RGB)
    assert shows["seed-32"] == (None, 2.0, ScaleIn.RGB)
    assert shows["swift-4.6"] == (None, "sampled", ScaleIn.RGB)
    assert shows["tiny"] == (None, 2.0, ScaleIn.YUV)  # as the tiny model was taught


def test_a_profile_of_a_user_is_sized_once_and_scaled_in_rgb(tmp_path):
    profile = load_text(tmp_path, "second_per_grid: 1.5\n")
    assert profile.first_resize is None and profile.scale_in is ScaleIn.RGB
    assert profile.grid_seconds(3.0, 6) == 1.5


def test_a_profile_of_a_user_may_size_in_two_stages_and_sample_times(tmp_path):
    profile = load_text(
        tmp_path,
        "second_per_grid: sampled\nfloor_positions: true\nscale_in: yuv\n"
        "first_resize: {factor: 28, min_pixels: 784, max_pixels: 7840}\n",
    )
    assert (profile.pixel_limit, profile.floor_positions) == (7840, True)
    assert profile.grid_seconds(3.68, 6) == pytest.approx(1.22667, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("second_per_grid: 0\n", "second_per_grid is neither a number above 0"),
        ("second_per_grid: .inf\n", "second_per_grid is neither a number above 0"),
        ("second_per_grid: .nan\n", "second_per_grid is neither a number above 0"),
        ("second_per_grid: sample\n", "second_per_grid"),
        ("second_per_grid: 1\nscale_in: hsv\n", "scale_in"),
        ("second_per_grid: 1\nmax_pixels: 99999999\n", "max_pixels"),
        (f"second_per_grid: 1\nsystem: {'x' * 100_001}\n", "system"),
        ("second_per_grid: 1\nfirst_resize: 28\n", "first_resize"),
        (
            "second_per_grid: 1\nfirst_resize: {factor: 28, min_pixels: 9, max_pixels: 8}\n",
            "first_resize: min_pixels is larger than max_pixels",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(tmp_path, text, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        load_text(tmp_path, text)
    assert "\n" not in str(caught.value)


@given(
    n_pictures=st.integers(2, 300),
    fps=st.sampled_from([10, 15, 23.976, 24, 25, 29.97, 30, 50]),
    n_frames=st.integers(1, 8).map(lambda n: 2 * n),
)
def test_sampled_times_are_the_temporal_patch_over_the_clips_own_rate(n_pictures, fps, n_frames):
    """ms-swift 4.6: 2 ÷ sample_fps, where sample_fps = frames ÷ pictures · fps."""
    profile = load_profile("swift-4.6")
    sample_fps = n_frames / n_pictures * fps
    assert profile.grid_seconds(n_pictures / fps, n_frames) == pytest.approx(2 / sample_fps)
    assert load_profile("seed").grid_seconds(n_pictures / fps, n_frames) == 2.0


def test_a_clip_lasts_as_long_as_its_pictures_where_that_is_known():
    clip = Clip(clip_index=0, start_s=5.0, end_s=10.0, frames=None, samples=None)
    assert clip.picture_s == 5.0
    ntsc = Clip(
        clip_index=0, start_s=5.0, end_s=10.0, frames=None, samples=None, sampled_s=150 / 29.97
    )
    assert ntsc.picture_s == pytest.approx(5.005, abs=1e-4)
