"""Windows of labelled stretches, against cases counted by hand and against their rules."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.label_errors import Place
from ah_ray.study.labelled_video import LabelledVideo, Marked
from ah_ray.study.prepare.cutting import (
    SHORT_TAILS,
    SHORT_WINDOWS,
    UNLOCATED,
    segments,
    unmarked,
    windows_of,
)
from ah_ray.study.prepare.settings import PrepareSettings, prepare_settings

HERE = Place(file="labels.yaml", line=1)


def rules(**settings) -> PrepareSettings:
    return prepare_settings(bah="bah", out="out", plain_participants=True, **settings)


def mark(start_s, end_s, label=1, question=None) -> Marked:
    return Marked(start_s=start_s, end_s=end_s, label=label, question=question, place=HERE)


def video(*marked: Marked, label: int = 1) -> LabelledVideo:
    return LabelledVideo(
        uri="/v.mp4", video_id="v", label=label, participant="p", split="train", marked=marked,
        place=HERE,
    )  # fmt: skip


def cut(marked, duration_s, *, label=1, left_out=None, **settings):
    """(start, end, label) of each window."""
    left_out = Counter() if left_out is None else left_out
    found = windows_of(video(*marked, label=label), duration_s, rules(**settings), left_out)
    return [(one.start_s, one.end_s, one.label) for one in found]


WHOLE = mark(0.0, None, 0)


@pytest.mark.parametrize(
    ("tail", "duration_s", "expected"),
    [
        ("drop", 12.0, [(0, 5), (5, 10)]),
        ("keep", 12.0, [(0, 5), (5, 10), (10, 12)]),
        ("shift", 12.0, [(0, 5), (5, 10), (7, 12)]),
        ("drop", 13.0, [(0, 5), (5, 10), (10, 13)]),  # 3 s are no short tail
        ("shift", 13.0, [(0, 5), (5, 10), (10, 13)]),
        ("drop", 2.0, [(0, 2)]),  # shorter than a short tail: one window
        ("keep", 2.0, [(0, 2)]),
        ("shift", 2.0, [(0, 2)]),
        ("drop", 5.0, [(0, 5)]),
        ("drop", 5.001, [(0, 5)]),
        ("shift", 6.0, [(0, 5), (1, 6)]),
    ],
)
def test_a_video_that_is_not_ah(tail, duration_s, expected):
    assert cut([WHOLE], duration_s, label=0, tail=tail) == [(*span, 0) for span in expected]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("drop", [(1, 6), (9, 10.5), (12, 17)]),
        ("keep", [(1, 6), (6, 8), (9, 10.5), (12, 17), (17, 18)]),
        ("shift", [(1, 6), (3, 8), (9, 10.5), (12, 17), (13, 18)]),
    ],
)
def test_segments_are_cut_each_by_itself(tail, expected):
    marked = [mark(1, 8), mark(9, 10.5), mark(12, 18)]
    assert cut(marked, 20.0, tail=tail) == [(*span, 1) for span in expected]


def test_what_is_left_out_is_counted():
    left_out = Counter()
    assert cut([mark(1, 8), mark(10, 10.1)], 20.0, left_out=left_out) == [(1, 6, 1)]
    assert left_out == {SHORT_TAILS: 2.0, SHORT_WINDOWS: 1}
    assert cut([mark(10, 10.1)], 20.0, min_window_s=0.05) == [(10, 10.1, 1)]
    left_out = Counter()
    assert cut([], 20.0, left_out=left_out) == [] and left_out == {UNLOCATED: 1}


def test_a_mark_past_the_end_ends_with_the_video():
    assert cut([mark(4, 10.4)], 10.0) == [(4, 9, 1)]
    assert cut([mark(4, 10.4)], 10.0, tail="shift") == [(4, 9, 1), (5, 10, 1)]


def test_other_lengths():
    assert cut([mark(0, 9)], 9.0, window_s=4) == [(0, 4, 1), (4, 8, 1)]
    assert cut([mark(0, 9)], 9.0, window_s=4, min_tail_s=1) == [(0, 4, 1), (4, 8, 1), (8, 9, 1)]


def test_unmarked_parts_as_negatives():
    marked = [mark(4, 6), mark(9, 16)]
    expected = [(0, 4, 0), (4, 6, 1), (6, 9, 0), (9, 14, 1), (16, 21, 0)]
    assert cut(marked, 22.0, negatives="unmarked") == expected
    kept = [(0, 3.5, 0), (4, 6, 1), (6.5, 8.5, 0), (9, 14, 1), (14, 16, 1), (16.5, 21.5, 0)]
    found = cut(marked, 22.0, negatives="unmarked", margin_s=0.5, tail="keep")
    assert found == [*kept, (21.5, 22, 0)]
    left_out = Counter()
    without = cut(marked, 22.0, negatives="unmarked", margin_s=0.5, left_out=left_out)
    assert without == [(0, 3.5, 0), (4, 6, 1), (9, 14, 1), (16.5, 21.5, 0)]
    assert left_out == {SHORT_TAILS: 4.5}  # 2 s of a mark, a gap of 2 s, 0.5 s at the end


def test_where_nobody_marked_anything_nothing_is_known():
    assert cut([], 22.0, negatives="unmarked") == []
    assert cut([WHOLE], 6.0, label=0, negatives="unmarked") == [(0, 5, 0)]


def test_questions_are_cut_beside_one_another():
    marked = [mark(0, None, 1, "Is the voice calm?"), mark(0, None, 0)]
    found = windows_of(video(*marked, label=0), 6.0, rules(), Counter())
    assert [(one.question, one.label) for one in found] == [(None, 0), ("Is the voice calm?", 1)]


def test_segments_of_a_video():
    marked = [mark(1, 3), mark(4, 10.4), mark(0, None, 1, "?"), mark(0, 2, 0)]
    assert segments(marked, 10.0) == [(1, 3), (4, 10)]
    assert segments([mark(0, None, 1)], 10.0) == []


TIMES = st.floats(0, 60, allow_nan=False) | st.decimals(0, 60, places=2).map(float)


@st.composite
def marked_videos(draw):
    """(segments that do not overlap, duration)."""
    times = sorted(draw(st.lists(TIMES, min_size=3, max_size=13, unique=True)))
    *ends, duration_s = times
    pairs = zip(ends[::2], ends[1::2], strict=False)
    return [mark(start, end) for start, end in pairs if draw(st.booleans())], duration_s


SETTINGS = st.fixed_dictionaries(
    {
        "tail": st.sampled_from(["drop", "keep", "shift"]),
        "window_s": st.sampled_from([5.0, 4.0, 3.3]),
        "min_tail_s": st.sampled_from([3.0, 1.0, 0.25]),
        "margin_s": st.sampled_from([0.0, 0.5]),
        "negatives": st.just("unmarked"),
    }
)
_ROUNDING_S = 1e-9


@given(marked_videos(), SETTINGS)
def test_the_rules_hold_for_any_video(marked_video, settings):
    marked, duration_s = marked_video
    found = cut(marked, duration_s, **settings)
    for start_s, end_s, label in found:
        assert 0 <= start_s < end_s <= duration_s
        assert end_s - start_s <= settings["window_s"] + _ROUNDING_S
        assert end_s - start_s >= 0.25 - 0.002 - _ROUNDING_S
        inside = [one for one in marked if one.start_s <= start_s and end_s <= one.end_s]
        assert len(inside) == label, "a positive lies in one segment, a negative in none"
    positives = [one for one in found if one[2]]
    for start_s, end_s, _ in [one for one in found if not one[2]]:
        assert all(end_s <= p[0] or p[1] <= start_s for p in positives)
        margin = settings["margin_s"] - 1e-6
        assert all(end_s <= m.start_s - margin or m.end_s + margin <= start_s for m in marked)


@given(marked_videos(), SETTINGS)
def test_tails_follow_their_rule(marked_video, settings):
    marked, duration_s = marked_video
    found = cut(marked, duration_s, **settings)
    window_s, min_tail_s = settings["window_s"], settings["min_tail_s"]
    for one in marked:
        length_s = one.end_s - one.start_s
        own = [(s, e) for s, e, label in found if label and one.start_s <= s and e <= one.end_s]
        if length_s < min(min_tail_s, window_s) - 0.01:
            assert len(own) == (length_s >= 0.25) or abs(length_s - 0.25) < 0.01
            continue
        n_full = int((length_s + 0.001) / window_s)
        rest_s = length_s - n_full * window_s
        if min(abs(rest_s - edge) for edge in (0, min_tail_s, 0.25, window_s)) < 0.011:
            continue  # within the tolerance for what containers round
        lengths = [round(e - s, 6) for s, e in own]
        assert lengths[:n_full] == pytest.approx([window_s] * n_full, abs=2e-6)
        rest = lengths[n_full:]
        if rest_s >= min_tail_s:
            assert rest == pytest.approx([rest_s], abs=2e-6)
        elif settings["tail"] == "drop":
            assert rest == []
        elif settings["tail"] == "keep":
            assert rest == (pytest.approx([rest_s], abs=2e-6) if rest_s >= 0.25 else [])
        else:
            assert rest == pytest.approx([min(window_s, length_s)], abs=2e-6)
            assert own[-1][1] == pytest.approx(one.end_s, abs=2e-6)


@given(marked_videos(), st.sampled_from([0.0, 0.7]))
def test_unmarked_parts_and_segments_fill_the_video(marked_video, margin_s):
    marked, duration_s = marked_video
    gaps = list(unmarked(marked, duration_s, margin_s))
    if not marked:
        assert gaps == []
    elif margin_s == 0:
        total_s = sum(e - s for s, e in gaps) + sum(one.end_s - one.start_s for one in marked)
        assert total_s == pytest.approx(duration_s)
    assert all(s < e for s, e in gaps)
