"""Frame picks against the reference (golden frame_sampling.json) and at uneven rates."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.media.frames import frame_count, is_constant, linspace_picks, pick_times

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
    assert pick_times(times_s, 0.0, 5.0, 10).tolist() == expected.tolist()


def test_at_a_variable_rate_the_frames_at_the_reference_times_are_picked():
    # one second of stillness, then 30 fps: counting frames would skip the still second
    times_s = np.concatenate([[0.0], 1.0 + np.arange(120) / 30])
    chosen = times_s[pick_times(times_s, 0.0, 5.0, 10)]
    ideal_s = np.linspace(0, 5 - 1 / 30, 10)
    assert chosen[:2].tolist() == [0.0, 0.0]  # at 0.55 s the first picture still stands
    assert np.abs(chosen - ideal_s)[2:].max() <= 1 / 60 + 1e-9


def picks_of_gaps(gaps_ms: list[int], n_wanted: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the times of frames with these distances, where they end, and the frames picked."""
    times_s = np.cumsum([0, *gaps_ms]) / 1000
    end_s = float(times_s[-1]) + 0.04
    return times_s, end_s, pick_times(times_s, 0.0, end_s, n_wanted)


GAPS = st.lists(st.integers(1, 400), max_size=200)


@given(GAPS, st.sampled_from([4, 6, 10]))
def test_picks_are_even_in_number_rising_and_of_the_video(gaps_ms, n_wanted):
    times_s, _, chosen = picks_of_gaps(gaps_ms, n_wanted)
    assert len(chosen) % 2 == 0 and 0 < len(chosen) <= n_wanted
    assert (np.diff(chosen) >= 0).all()
    assert chosen.min() >= 0 and chosen.max() < len(times_s)


@given(
    st.lists(st.integers(1, 400) | st.integers(1000, 30_000), min_size=1, max_size=200),
    st.floats(0, 30),
    st.floats(0.2, 6),
    st.sampled_from([4, 6, 10]),
)
def test_no_pick_is_farther_away_than_the_picture_that_stands_explains(
    gaps_ms, start_s, seconds, n_wanted
):
    times_s = np.cumsum([0, *gaps_ms]) / 1000
    end_s = start_s + seconds
    chosen = pick_times(times_s, start_s, end_s, n_wanted)
    inside = times_s[(times_s >= start_s - 1e-6) & (times_s < end_s - 1e-6)]
    gap_s = np.median(np.diff(inside)) if len(inside) > 1 else seconds / n_wanted
    if len(chosen) < n_wanted or is_constant(inside):
        # By count: each is of the window, and as far into it as its place says.
        gap_s = max(gap_s, seconds / len(inside) * 1.5 + 0.0011) if len(inside) else gap_s
    wanted_s = np.linspace(start_s, end_s - min(gap_s, seconds / n_wanted), len(chosen))
    if len(chosen) < n_wanted:
        assert chosen.tolist()[: len(inside)] == np.flatnonzero(np.isin(times_s, inside)).tolist()
        return
    standing = np.maximum(np.searchsorted(times_s, wanted_s + 2e-6, side="right") - 1, 0)
    off_s = np.abs(times_s[chosen] - wanted_s)
    assert ((off_s <= gap_s + 2e-6) | (chosen == standing)).all()


def test_a_video_without_frames_has_no_picks():
    assert pick_times(np.empty(0), 0.0, 5.0, 10).tolist() == []


@pytest.mark.parametrize("start_s", [0.0, 30.0, 100.0])
def test_windows_before_the_first_and_after_the_last_frame_show_what_is_nearest(start_s):
    times_s = 40 + np.arange(100) / 25
    expected = {0.0: 0, 30.0: 0, 100.0: 99}[start_s]
    assert pick_times(times_s, start_s, start_s + 5.0, 10).tolist() == [expected] * 10
