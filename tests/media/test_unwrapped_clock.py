"""A clock that turned over goes on, and one that starts again is left as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.caged.timing.scan import unwrap_clock

TURN_S = 2**33 / 90_000


@given(
    start_s=st.floats(0, TURN_S),
    gaps_s=st.lists(st.floats(-0.5, 50.0), min_size=1, max_size=80),
    lost=st.sets(st.integers(0, 80)),
)
def test_times_that_turned_over_go_on(start_s, gaps_s, lost):
    true_s = start_s + np.cumsum([0.0, *gaps_s])
    stamped_s = np.mod(true_s, TURN_S)
    stamped_s[[n for n in lost if 0 < n < len(true_s) - 1]] = np.nan
    steps_s = np.abs(np.diff(true_s[~np.isnan(stamped_s)]))
    if (steps_s > 59).any():
        return
    found_s = unwrap_clock(stamped_s, TURN_S, start_s=float(stamped_s[0]))
    known = ~np.isnan(stamped_s)
    assert (np.isnan(found_s) == ~known).all()
    assert found_s[known] - found_s[0] == pytest.approx((true_s - true_s[0])[known], abs=1e-6)


@given(st.floats(61.0, TURN_S - 61.0))
def test_a_clock_that_goes_back_is_no_wrap(back_s):
    times_s = np.array([TURN_S - 2, TURN_S - 1, TURN_S - 1 - back_s, TURN_S - back_s])
    assert unwrap_clock(times_s, TURN_S, start_s=times_s[0]) == pytest.approx(times_s)


def test_sound_that_begins_after_the_turn_is_put_beside_its_picture():
    sound_s = unwrap_clock(np.array([0.25, 0.5]), TURN_S, start_s=TURN_S - 0.1)
    assert sound_s == pytest.approx([TURN_S + 0.25, TURN_S + 0.5])


def test_a_clock_that_never_turns_over_is_believed():
    times_s = np.array([1e6, 0.0, np.nan])
    assert unwrap_clock(times_s, None, start_s=1e6) is times_s
