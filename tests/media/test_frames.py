"""Frame picks against the reference (golden frame_sampling.json) and at uneven rates."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.frames import frame_count, linspace_picks, picks

GOLDEN = json.loads((Path(__file__).parents[1] / "goldens/frame_sampling.json").read_text())
PICKED = [row for row in GOLDEN if row["frame_indices"] is not None]

FEWER_THAN_WANTED = {(1.0, 3): [0, 1, 2, 2], (1.0, 5): [0, 1, 2, 3, 4, 4]}
"""Where a window has fewer frames than wanted we show all; the reference leaves one out."""


@pytest.mark.parametrize("row", PICKED, ids=lambda r: f"{r['n_source_frames']}@{r['fps']}")
def test_picks_are_the_references(row):
    n_wanted = frame_count(row["n_source_frames"] / row["fps"], 2.0, 4)
    ours = linspace_picks(row["n_source_frames"], n_wanted).tolist()
    different = FEWER_THAN_WANTED.get((row["fps"], row["n_source_frames"]))
    if different:
        assert ours == different
        assert row["frame_indices"] == sorted(set(different) & set(row["frame_indices"]))
        assert len(row["frame_indices"]) == row["n_source_frames"] - 1
    else:
        assert ours == row["frame_indices"]


def test_the_reference_refuses_a_single_frame_and_we_show_it_twice():
    refused = [row for row in GOLDEN if row["frame_indices"] is None]
    assert {row["n_source_frames"] for row in refused} == {1}
    assert linspace_picks(1, 4).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("seconds", "n"), [(5.0, 10), (4.999, 10), (4.9, 8), (3.0, 6), (2.0, 4), (0.04, 4), (30, 60)]
)
def test_a_windows_count_follows_from_its_seconds(seconds, n):
    assert frame_count(seconds, 2.0, 4) == n


@pytest.mark.parametrize("tick_s", [1 / 90_000, 1 / 1000])
@pytest.mark.parametrize("fps", [24, 25, 30, 30000 / 1001, 50, 60])
def test_constant_rates_pick_by_count_also_in_containers_that_round_to_milliseconds(fps, tick_s):
    exact_s = np.arange(int(5 * fps)) / fps
    times_s = np.round(exact_s / tick_s) * tick_s
    expected = np.linspace(0, len(times_s) - 1, 10).round()
    assert picks(times_s, 0.0, 5.0, 10).tolist() == expected.tolist()


def test_at_a_variable_rate_the_frames_nearest_to_the_reference_times_are_picked():
    # one second of stillness, then 30 fps: counting frames would skip the still second
    times_s = np.concatenate([[0.0], 1.0 + np.arange(120) / 30])
    chosen = times_s[picks(times_s, 0.0, 5.0, 10)]
    ideal_s = np.linspace(0, 5 - 1 / 30, 10)
    assert chosen[:2].tolist() == [0.0, 1.0]
    assert np.abs(chosen - ideal_s)[2:].max() <= 1 / 60 + 1e-9


@given(st.lists(st.integers(1, 400), min_size=0, max_size=200), st.sampled_from([4, 6, 10]))
def test_picks_are_even_in_number_rising_and_from_the_window(gaps_ms, n_wanted):
    times_s = np.cumsum(gaps_ms) / 1000
    end_s = float(times_s[-1]) + 0.04 if len(times_s) else 5.0
    chosen = picks(times_s, 0.0, end_s, n_wanted)
    assert len(chosen) == min(n_wanted, len(times_s) + len(times_s) % 2)
    assert (np.diff(chosen) >= 0).all()
    assert not len(chosen) or (chosen.min() >= 0 and chosen.max() < len(times_s))
