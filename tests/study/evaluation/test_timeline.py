from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.evaluation.figures.timeline import (
    is_ah,
    marked_clips,
    measure_timeline,
    overlap_parts,
    seconds,
    shared_s,
    union,
)


def timeline(videos, rows, participant):
    marked = marked_clips(videos, rows, participant)
    return None if marked is None else measure_timeline(marked)


SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda ends: tuple(sorted(ends))),
    max_size=8,
)


def covered(spans):
    return {second for start, end in spans for second in range(start, end)}


@given(SPANS, SPANS)
def test_seconds_as_if_counted_one_by_one(a, b):
    assert seconds(union(a)) == len(covered(a))
    assert shared_s(union(a), union(b)) == len(covered(a) & covered(b))
    joined = union(a)
    assert all(before[1] < after[0] for before, after in pairwise(joined))


@pytest.mark.parametrize(
    ("clip", "segments", "wanted"),
    [
        ((0, 5), [], False),
        ((0, 5), [(2.5, 9)], True),  # half of the clip
        ((0, 5), [(2.6, 9)], False),
        ((0, 5), [(0, 1)], True),  # all of a short moment
        ((0, 5), [(4, 6)], True),  # half of it
        ((0, 5), [(4.5, 6)], False),
        ((0, 5), [(0, 0.9), (4.1, 6.5)], True),
        ((0, 5), [(5, 6)], False),
    ],
)
def test_which_clips_are_ah(clip, segments, wanted):
    assert is_ah(clip, segments) is wanted


def clips(p_ah, threshold=0.5):
    return [
        {
            "start_s": 5.0 * i,
            "end_s": 5.0 * (i + 1),
            "p_ah": p,
            "answer": None if p is None else "Yes" if p >= threshold else "No",
        }
        for i, p in enumerate(p_ah)
    ]


def video(label, *segments):
    return {"label": label, "segments": [{"start_s": s, "end_s": e} for s, e in segments]}


def test_by_hand():
    videos = [video(1, (5, 12)), video(0), video(1), video(1, (0, 3))]
    rows = [
        {"clips": clips([0.2, 0.9, 0.6, None])},  # Yes from 5 to 15 s; 7 s of that are marked
        {"clips": clips([0.7])},
        {"clips": clips([0.9])},  # A/H, but nobody said when: left out
        None,
    ]
    found = timeline(videos, rows, np.array([7, 7, 8, 9]))
    assert (found.n_videos, found.n_participants) == (2, 1)
    assert (found.n_clips, found.n_ah_clips) == (4, 1)
    assert (found.marked_s, found.yes_s, found.both_s) == (7, 15, 7)
    assert found.iou.value == pytest.approx(7 / 15)
    assert found.precision_s.value == pytest.approx(7 / 15)
    assert found.recall_s.value == 1
    assert found.f1_s.value == pytest.approx(14 / 22)
    assert found.average_precision.value == 1


def test_clips_that_overlap_count_once():
    row = {"clips": [
        {"start_s": 0.0, "end_s": 5.0, "p_ah": 0.9, "answer": "Yes"},
        {"start_s": 2.5, "end_s": 7.5, "p_ah": 0.9, "answer": "Yes"},
    ]}  # fmt: skip
    found = timeline([video(1, (0, 10))], [row], np.arange(1))
    assert (found.yes_s, found.both_s, found.iou.value) == (7.5, 7.5, 0.75)


def test_nothing_that_tells_when():
    assert timeline([video(1)], [{"clips": clips([0.9])}], np.arange(1)) is None
    assert timeline([video(0)], [{"clips": clips([0.9])}], np.arange(1)) is None
    unscored = [video(1, (0, 5)), video(0)], [None, {"clips": clips([0.9])}]
    assert timeline(*unscored, np.arange(2)) is None


def test_overlaps_of_sums():
    found = overlap_parts(np.array([10.0, 8.0, 5.0]))
    assert {name: a / b for name, (a, b) in found.items()} == pytest.approx(
        {"iou": 5 / 13, "precision_s": 5 / 10, "recall_s": 5 / 8, "f1_s": 10 / 18}
    )


def test_nothing_found_is_no_precision():
    found = timeline([video(1, (0, 5))], [{"clips": clips([0.1])}], np.arange(1))
    assert found.precision_s.value is None and found.recall_s.value == 0


def test_intervals_count_clips_not_seconds():
    """Seconds are not independent observations: a finer clock makes nothing more certain."""
    videos = [video(1, (0, 5), (10, 15)) for _ in range(20)]
    rows = [{"clips": clips([0.9, 0.1, 0.2, 0.3])} for _ in range(20)]
    found = timeline(videos, rows, np.arange(20)).recall_s
    slow = [video(1, (0, 5000), (10000, 15000)) for _ in range(20)]
    slow_rows = [
        {"clips": [c | {"start_s": 1000 * c["start_s"], "end_s": 1000 * c["end_s"]} for c in each]}
        for each in (row["clips"] for row in rows)
    ]
    same = timeline(slow, slow_rows, np.arange(20)).recall_s
    assert (same.low, same.high) == pytest.approx((found.low, found.high))
    assert found.low < found.value < found.high
