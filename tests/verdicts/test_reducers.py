import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.verdicts.one_model import answer_clip, reduce_scores
from ah_ray.verdicts.reducers import form_answer, parse_reducer
from ah_ray.verdicts.reduction import Reduction, Scaling

NAMES = ["any", "mean", "topk1", "topk3", "topk5", "noisyor", "share", "duration"]
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=40)
lengths = st.floats(0.04, 5)
clips = st.lists(st.tuples(st.floats(0, 1), lengths), min_size=1, max_size=40)


def reduce(name, p, lengths_s=None):
    return parse_reducer(name)(p, lengths_s or [5.0] * len(p))


def reduce_equal_clips(p_ah, reduction):
    return reduce_scores(p_ah, [5.0] * len(p_ah), reduction)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("any", 0.9),
        ("mean", (0.2 + 0.9 + 0.5 + 0.4) / 4),
        ("topk1", 0.9),
        ("topk3", (0.9 + 0.5 + 0.4) / 3),
        ("topk5", (0.2 + 0.9 + 0.5 + 0.4) / 4),
        ("noisyor", 1 - 0.8 * 0.1 * 0.5 * 0.6),
        ("share", 2 / 4),
        ("duration", (0.2 * 5 + 0.9 * 5 + 0.5 * 5 + 0.4 * 3) / 18),
    ],
)
def test_by_hand(name, expected):
    found = reduce(name, [0.2, 0.9, 0.5, 0.4], [5, 5, 5, 3])
    assert found == pytest.approx(expected, abs=1e-15)


@given(clips, st.sampled_from(NAMES))
def test_is_a_probability_in_any_order(clips, name):
    p, lengths_s = zip(*clips, strict=True)
    found = reduce(name, list(p), list(lengths_s))
    again = reduce(name, list(p)[::-1], list(lengths_s)[::-1])
    assert 0 <= found <= 1
    assert found == pytest.approx(again, abs=1e-12)


@given(probabilities)
def test_means_stay_between_the_extremes_and_in_order(p):
    low, mean, top, high = (reduce(name, p) for name in ("topk1000", "mean", "topk3", "any"))
    assert min(p) <= mean <= top <= high == max(p)
    assert low == mean
    assert reduce("noisyor", p) >= high


@given(clips, st.floats(0, 1))
def test_one_clip_more_that_is_sure_never_lowers(clips, p_more):
    p = [p for p, _ in clips]
    more = max([*p, p_more])
    for name in NAMES:
        assert reduce(name, [*p, more]) >= reduce(name, p) - 1e-12, name


@given(st.floats(0, 1), st.integers(1, 30), st.sampled_from(["any", "mean", "topk3", "noisyor"]))
def test_clips_at_the_threshold_make_a_yes(p, n, name):
    reduction = Reduction(reducer=name, threshold=p)
    found, said = reduce_equal_clips([p] * n, reduction)
    assert said == "Yes" and found >= p


def test_only_good_clips_count():
    found = reduce_equal_clips([0.2, None, 0.4], Reduction(reducer="mean"))
    assert found == (pytest.approx(0.3), "No")


def test_all_failed():
    assert reduce_equal_clips([None, None], Reduction()) == (None, None)
    assert reduce_equal_clips([], Reduction()) == (None, None)


def test_answer_is_at_the_threshold():
    assert form_answer(0.5, 0.5) == "Yes"
    assert form_answer(math.nextafter(0.5, 0), 0.5) == "No"
    assert answer_clip(None, Reduction()) is None


def test_share_counts_clips_at_one_half_and_decides_at_the_threshold():
    reduction = Reduction(reducer="share", threshold=0.8)
    found = reduce_equal_clips([0.5, 0.6, 0.7, 0.49], reduction)
    assert found == (0.75, "No")
    assert [answer_clip(p, reduction) for p in (0.5, 0.49, None)] == ["Yes", "No", None]
    assert answer_clip(0.79, Reduction(threshold=0.8)) == "No"


@given(clips, st.floats(0, 1), st.floats(0.05, 20), st.floats(-5, 5))
def test_with_any_a_video_is_a_yes_iff_a_clip_is_also_calibrated(clips, threshold, slope, shift):
    scaling = Scaling(slope=slope, intercept=shift)
    reduction = Reduction(threshold=threshold, scaling=scaling)
    p_ah, said = reduce_equal_clips([p for p, _ in clips], reduction)
    assert p_ah == scaling(max(p for p, _ in clips))
    assert (said == "Yes") == any(answer_clip(p, reduction) == "Yes" for p, _ in clips)


@pytest.mark.parametrize(
    "name",
    [
        "max",
        "",
        "topk",
        "topk0",
        "topk-1",
        "topk3 ",
        "Any",
        "topk٣",
        "topk03",
        "any3",
        "3",
        "topk" + "9" * 5000,
    ],
)
def test_unknown_ones_are_refused_with_the_list(name):
    with pytest.raises(
        ConfigError,
        match=re.escape(", ".join(["any", "mean", "topk3 (or another number)", "noisyor"])),
    ):
        parse_reducer(name)
