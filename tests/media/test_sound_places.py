"""Packets of sound that arrived together are laid end to end; true gaps stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ah_ray.media.caged.timing.sound_places import spread_bursts

LASTS_S = 0.02


def regular(n: int, lasts_s: float = LASTS_S) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(n) * lasts_s, np.full(n, lasts_s)


@given(
    every_s=st.floats(0.04, 0.9),
    lasts_s=st.sampled_from([0.0213, 0.02, 0.06]),
    start_s=st.floats(-2, 100),
)
def test_packets_that_have_the_time_of_their_burst_lie_where_they_belong(every_s, lasts_s, start_s):
    true_s, durations_s = regular(400, lasts_s)
    stamped_s = np.floor(true_s / every_s + 1e-9) * every_s
    placed_s = spread_bursts(start_s + stamped_s, durations_s)
    assert np.abs(placed_s - start_s - true_s).max() < 0.1 + lasts_s


@given(at=st.integers(10, 300), delay_s=st.floats(0.1, 0.8))
def test_a_delay_after_which_packets_come_all_at_once_is_no_gap(at, delay_s):
    true_s, durations_s = regular(400)
    arrived_s = np.maximum(true_s, np.where(np.arange(400) >= at, at * LASTS_S + delay_s, 0.0))
    assert np.abs(spread_bursts(arrived_s, durations_s) - true_s).max() < 0.07


@given(
    gap_s=st.floats(0.1, 30.0),
    at=st.integers(1, 299),
    jitter_ms=st.lists(st.integers(-10, 10), min_size=300, max_size=300),
)
@example(gap_s=1.0, at=297, jitter_ms=[0] * 300)
@example(gap_s=0.5, at=299, jitter_ms=[0] * 300)
def test_a_gap_stays_as_long_as_it_is(gap_s, at, jitter_ms):
    true_s, durations_s = regular(300)
    true_s = true_s + np.where(np.arange(300) >= at, gap_s, 0.0) + np.array(jitter_ms) / 1000
    assert np.abs(spread_bursts(true_s, durations_s) - true_s).max() < 0.07


@pytest.mark.parametrize("back_s", [0.1, 0.4, 2.0])
def test_sound_that_overlaps_for_good_stays_where_its_times_say(back_s):
    true_s, durations_s = regular(300)
    true_s = true_s - np.where(np.arange(300) >= 120, back_s, 0.0)
    assert spread_bursts(true_s, durations_s) == pytest.approx(true_s)


def test_packets_without_a_place_or_a_duration_are_left_alone():
    true_s, durations_s = regular(50)
    true_s[7] = np.nan
    assert np.isnan(spread_bursts(true_s, durations_s)[7])
    assert spread_bursts(np.floor(true_s), np.zeros(50)) == pytest.approx(
        np.floor(true_s), nan_ok=True
    )
