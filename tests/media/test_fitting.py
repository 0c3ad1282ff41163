"""Pictures that are turned, or of another size than their clip, keep their shape."""

from __future__ import annotations

import numpy as np
import pytest

from ah_ray.media.caged.scaling import Picture, _turn_of, fit, pixel_aspect_of

QUARTER = {
    "upright": (1, 0, 0, 1),
    "turned right": (0, 1, -1, 0),
    "upside down": (-1, 0, 0, -1),
    "turned left": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed and turned": (0, -1, -1, 0),
}
"""a, b, c, d of a display matrix, which maps (x, y) to (a·x + c·y, b·x + d·y)."""


@pytest.mark.parametrize("name", QUARTER)
def test_a_matrix_puts_each_corner_where_it_says(name):
    a, b, c, d = QUARTER[name]
    matrix = np.array([[a, b, 0], [c, d, 0], [0, 0, 1]], np.int64) * 0x10000
    height, width = 4, 6
    picture = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    turned = _turn_of(matrix).apply(picture)
    assert turned.shape == ((width, height, 3) if a == 0 else (height, width, 3))
    for y in (0, height - 1):
        for x in (0, width - 1):
            # By the centre of the picture, since a matrix may move it out of view.
            cx, cy = x - (width - 1) / 2, y - (height - 1) / 2
            to_x, to_y = a * cx + c * cy, b * cx + d * cy
            row = round(to_y + (turned.shape[0] - 1) / 2)
            column = round(to_x + (turned.shape[1] - 1) / 2)
            assert (turned[row, column] == picture[y, x]).all()


def white(width_px: int, height_px: int) -> Picture:
    rgb = np.full((height_px, width_px, 3), 255, np.uint8)
    return Picture(rgb=rgb, displayed_px=(width_px, height_px), ratio=width_px / height_px)


SIZES = [(320, 192), (192, 320), (256, 256), (640, 96), (96, 640)]


@pytest.mark.parametrize("like", SIZES)
@pytest.mark.parametrize("size", SIZES)
def test_a_picture_of_another_size_keeps_its_ratio_between_bars(size, like):
    fitted = fit(white(*size), white(*like))
    width, height = like
    assert fitted.shape == (height, width, 3) and fitted.dtype == np.uint8
    rows = np.flatnonzero(fitted[:, width // 2, 0] > 128)
    columns = np.flatnonzero(fitted[height // 2, :, 0] > 128)
    inner_w, inner_h = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert inner_w == width or inner_h == height
    assert inner_w == pytest.approx(inner_h * size[0] / size[1], abs=1 + size[0] / size[1])
    assert abs(rows[0] - (height - 1 - rows[-1])) <= 1  # in the middle
    assert abs(columns[0] - (width - 1 - columns[-1])) <= 1


@pytest.mark.parametrize("value", [None, 0, -1, 1e-9, 1e9])
def test_an_absurd_pixel_is_square(value):
    assert pixel_aspect_of(value) == 1.0
