"""Values find their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.report.plot import Plot, round_up, round_up_share


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


def test_a_gap_in_a_line():
    """Where no answer is Yes there is no precision: the line ends, and may begin once more."""
    plot = Plot(width=100, height=100, left=0, right=0, top=0, bottom=0)
    points = [(0, 0), (0.25, 0.5), (0.5, None), (0.75, 1), (1, 1)]
    assert plot.path(points) == "M0.0 100.0L25.0 50.0M75.0 0.0L100.0 0.0"
    assert plot.path([(0, None)]) == ""


def test_lines_have_gaps_where_there_is_no_value():
    plot = Plot(width=100, height=100, left=0, right=0, top=0, bottom=0, x_max=4)
    assert plot.broken_path([0, 1, None, 0.5, None]) == "M0.0 100.0L25.0 0.0M75.0 50.0"
    assert plot.broken_path([None]) == ""
    assert plot.band([None, 0, 0.5], [None, 0.5, 1]) == "M25.0 50.0L50.0 0.0L50.0 50.0L25.0 100.0Z"
    assert plot.band([None], [None]) == ""


@pytest.mark.parametrize(
    ("value", "end"), [(0, 0.05), (0.05, 0.05), (0.06, 0.1), (0.3, 0.5), (0.9, 1)]
)
def test_axes_of_shares_end_at_a_round_share(value, end):
    assert round_up_share(value) == end
