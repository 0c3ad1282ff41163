"""Values find their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.report.plot import Plot, round_up


def test_corners():
    plot = Plot(width=200, height=100, left=40, right=10, top=5, bottom=20, x_max=2, y_max=50)
    assert (plot.x(0), plot.x(2), plot.y(0), plot.y(50)) == (40, 190, 80, 5)
    assert plot.path([(0, 0), (1, 25)]) == "M40.0 80.0L115.0 42.5"


@given(st.integers(0, 10**9))
def test_an_axis_ends_at_or_above_its_highest_value(value):
    end = round_up(value)
    assert end >= value
    assert end == 1 or end / 2.5 <= value
    assert str(end).rstrip("0") in ("1", "2", "5")


@pytest.mark.parametrize(("value", "end"), [(0, 1), (3, 5), (5, 5), (11, 20), (51, 100)])
def test_round_up(value, end):
    assert round_up(value) == end
