"""Windows: pure arithmetic, so properties over all lengths, and the cases that users meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.config import Tail, Windows
from ah_ray.media.windows import Given, Regular, plan

durations = st.floats(0.04, 4000).map(lambda seconds: round(seconds, 3))
settings = st.builds(
    Windows,
    window_s=st.sampled_from([2.0, 3.2, 5.0, 10.0]),
    hop_s=st.sampled_from([1.0, 2.5, 5.0, 7.0]),
    tail=st.sampled_from(Tail),
)


def spans(duration_s: float, **changes: object) -> list[tuple[float, float]]:
    return [(w.start_s, w.end_s) for w in plan(duration_s, Windows(**changes))]


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (15.0, [(0, 5), (5, 10), (10, 15)]),
        (12.9, [(0, 5), (5, 10)]),
        (13.0, [(0, 5), (5, 10), (10, 13)]),
        (2.0, [(0, 2)]),
        (0.04, [(0, 0.04)]),
        (3.5, [(0, 3.5)]),
        (0.0, []),
    ],
)
def test_a_tail_under_three_seconds_is_dropped_but_a_short_video_is_one_window(
    duration_s, expected
):
    assert spans(duration_s) == expected


def test_a_short_tail_can_be_kept():
    assert spans(12.0, tail="keep") == [(0, 5), (5, 10), (10, 12)]


def test_a_short_tail_can_be_moved_back_to_end_with_the_video():
    assert spans(12.0, tail="shift") == [(0, 5), (5, 10), (7, 12)]
    assert spans(14.0, tail="shift") == [(0, 5), (5, 10), (10, 14)]


def test_several_tails_of_overlapping_windows_are_moved_to_one_place_once():
    assert spans(10.5, hop_s=1.0, tail="shift")[-2:] == [(7, 10.5), (5.5, 10.5)]


def test_windows_overlap_when_the_hop_is_shorter():
    assert spans(10.0, hop_s=2.5) == [(0, 5), (2.5, 7.5), (5, 10)]


@pytest.mark.parametrize("duration_s", [9.999, 10.001])
def test_milliseconds_of_a_container_do_not_make_a_tail(duration_s):
    assert len(spans(duration_s)) == 2
    assert len(spans(duration_s, tail="keep")) == 2


@given(durations, settings)
def test_every_window_lies_in_the_video_and_is_no_longer_than_asked(duration_s, windows):
    planned = plan(duration_s, windows)
    assert planned
    assert [window.index for window in planned] == list(range(len(planned)))
    for window in planned:
        assert 0 <= window.start_s < window.end_s <= duration_s
        assert window.seconds <= windows.window_s + 1e-9


@given(durations, settings)
def test_full_windows_do_not_depend_on_where_the_video_ends(duration_s, windows):
    for window in plan(duration_s, windows):
        unbounded = Regular(windows).full(window.index)
        if unbounded.end_s <= duration_s:
            assert window == unbounded


@given(durations.filter(lambda s: s >= 3.0), st.sampled_from([Tail.KEEP, Tail.SHIFT]))
def test_no_second_is_lost_unless_tails_are_dropped(duration_s, tail):
    reached_s = 0.0
    for window in plan(duration_s, Windows(tail=tail)):
        assert window.start_s <= reached_s + 1e-9
        reached_s = max(reached_s, window.end_s)
    assert reached_s == pytest.approx(duration_s, abs=0.003)


marked = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0.5, 10)).map(lambda pair: (pair[0], sum(pair))),
    min_size=1,
)


@given(marked, st.floats(0.1, 60))
def test_given_windows_are_those_that_begin_in_the_video(intervals, duration_s):
    given_ones = Given.of(intervals)
    made = given_ones.plan(duration_s)
    starts = sorted(start for start, _ in intervals if start < duration_s - 0.002)
    assert [window.start_s for window in made] == starts
    assert all(window.end_s <= duration_s for window in made)
    assert [window.index for window in made] == list(range(len(made)))
    for window in made:
        full = given_ones.full(window.index)
        assert (full.start_s, min(full.end_s, duration_s)) == (window.start_s, window.end_s)
        assert given_ones.needed_from_s(window.index) == window.start_s
    assert given_ones.full(len(intervals)) is None
