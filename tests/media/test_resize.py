"""Sizes against the reference: one stage of factor 32, and the two stages of the published work."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.resize import largest_size, most_pixels, scaling_stages, shown_size, square_size
from ah_ray.profile import FirstResize, Profile, load_profile

GOLDENS = Path(__file__).parents[1] / "goldens"
ONE_STAGE = json.loads((GOLDENS / "resize.json").read_text())
TWO_STAGES = json.loads((GOLDENS / "resize_two_stages.json").read_text())

sides = st.integers(16, 5000)


def limited(min_pixels: int, max_pixels: int) -> Profile:
    limits = {"min_pixels": min_pixels, "max_pixels": max_pixels}
    return load_profile("seed-32").model_copy(update=limits)


def published(max_pixels: int) -> Profile:
    """`seed` with another limit in its first stage, as ms-swift's VIDEO_MAX_PIXELS sets it."""
    first = FirstResize(factor=28, min_pixels=128 * 28**2, max_pixels=max_pixels)
    return load_profile("seed").model_copy(update={"first_resize": first})


@pytest.mark.parametrize("row", ONE_STAGE, ids=lambda r: f"{r['width_px']}x{r['height_px']}")
def test_sizes_of_one_stage_are_the_references(row):
    profile = limited(row["min_pixels"], row["max_pixels"])
    size = shown_size(row["width_px"], row["height_px"], profile)
    assert size == (row["resized_width_px"], row["resized_height_px"])


@pytest.mark.parametrize(
    "row",
    TWO_STAGES,
    ids=lambda r: f"{r['width_px']}x{r['height_px']}-{r['first_max_pixels']}",
)
def test_sizes_of_two_stages_are_the_published_ones(row):
    profile = published(row["first_max_pixels"])
    source = (row["width_px"], row["height_px"])
    first = (row["first_width_px"], row["first_height_px"])
    shown = (row["shown_width_px"], row["shown_height_px"])
    assert shown_size(*source, profile) == shown
    assert scaling_stages(*source, profile) == [
        after for before, after in pairwise([source, first, shown]) if before != after
    ]


@pytest.mark.parametrize(
    ("profile", "source", "shown"),
    [
        ("seed", (1280, 720), (1024, 576)),
        ("seed", (852, 480), (832, 480)),
        ("seed", (640, 480), (640, 480)),
        ("seed-32", (1280, 720), (1152, 640)),
        ("swift-4.6", (1280, 720), (1152, 640)),
        ("seed-32", (852, 480), (864, 480)),
        ("seed-448", (1280, 720), (576, 320)),
        ("tiny", (1280, 720), (64, 32)),
    ],
)
def test_built_in_profiles_show_what_they_are_named_for(profile, source, shown):
    assert shown_size(*source, load_profile(profile)) == shown


def test_a_picture_of_the_shown_size_may_still_be_scaled_twice():
    """640×480 goes through 644×476, which costs sharpness that training saw."""
    assert scaling_stages(640, 480, load_profile("seed")) == [(644, 476), (640, 480)]
    assert scaling_stages(640, 480, load_profile("seed-32")) == []


@given(sides, sides, st.sampled_from(["seed", "seed-448", "seed-32", "swift-4.6"]))
def test_shown_pictures_are_whole_tokens_within_the_limits(width_px, height_px, name):
    profile = load_profile(name)
    if max(width_px, height_px) > 100 * min(width_px, height_px):
        return
    width, height = shown_size(width_px, height_px, profile)
    assert width % 32 == height % 32 == 0
    assert width * height <= most_pixels(profile) <= profile.max_pixels < largest_size(profile)
    turned = shown_size(height_px, width_px, profile)
    assert turned == (height, width)
    if min(width, height, width_px, height_px) >= 96:  # a strip cannot come as near
        assert abs(width / height / (width_px / height_px) - 1) < 0.5


@pytest.mark.parametrize("name", ["seed", "seed-448"])
def test_no_source_is_shown_with_more_pixels_than_most_pixels(name):
    """Every size that the first stage can end in, by brute force."""
    profile = load_profile(name)
    first = profile.first_resize
    steps = range(first.factor, first.max_pixels // first.factor + 1, first.factor)
    shown = [
        shown_size(width, height, profile)
        for height in steps
        for width in range(height, first.max_pixels // height + 1, first.factor)
        if width <= 200 * height
    ]
    assert max(width * height for width, height in shown) == most_pixels(profile)


def test_a_large_square_stands_for_what_a_profile_costs():
    assert square_size(load_profile("seed-448")) == (448, 448)
    assert square_size(load_profile("seed")) == (768, 768)
    assert square_size(load_profile("seed-32")) == (864, 864)
    assert square_size(load_profile("tiny")) == (64, 64)


@pytest.mark.parametrize("name", ["seed", "seed-32"])
@pytest.mark.parametrize("find", [shown_size, scaling_stages])
def test_a_strip_is_refused(find, name):
    with pytest.raises(VideoError, match="strip") as caught:
        find(8192, 32, load_profile(name))
    assert caught.value.kind is ErrorKind.REFUSED
