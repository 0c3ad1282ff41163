"""Sizes against the reference (golden resize.json)."""

import json
from pathlib import Path

import pytest

from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.resize import target_size

GOLDEN = json.loads((Path(__file__).parents[1] / "goldens/resize.json").read_text())


@pytest.mark.parametrize("row", GOLDEN, ids=lambda r: f"{r['width_px']}x{r['height_px']}")
def test_sizes_are_the_references(row):
    size = target_size(row["width_px"], row["height_px"], row["min_pixels"], row["max_pixels"])
    assert size == (row["resized_width_px"], row["resized_height_px"])


def test_a_strip_is_refused():
    with pytest.raises(VideoError, match="strip") as caught:
        target_size(8192, 32, 4096, 200_704)
    assert caught.value.kind is ErrorKind.REFUSED
