"""How a score comes about, in words, and from which p_ah on a clip is a Yes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.config import Ensemble, Reduction
from ah_ray.reduction import Scaling
from ah_ray.results.reducers import YES, clip_answer
from ah_ray.study.report.words import clip_threshold, in_words, yes_from


@pytest.mark.parametrize(
    ("reduction", "words"),
    [
        (Reduction(), "the highest of its clips"),
        (Reduction(reducer="topk5"), "the mean of its 5 highest clips"),
        (Reduction(reducer="share"), "the share of its clips that are a Yes"),
        (
            Reduction(reducer="mean", scaling=Scaling(slope=2)),
            "the mean of its clips, scaled by a calibration",
        ),
        (
            Reduction(ensemble=Ensemble.VOTE),
            "the share of several models that say Yes, each scoring the video by the highest of "
            "its clips",
        ),
    ],
)
def test_in_words(reduction, words):
    assert in_words(reduction) == words


@given(
    st.floats(0.01, 0.99),
    st.floats(0.05, 0.95),
    st.one_of(
        st.none(),
        st.builds(Scaling, slope=st.floats(0.2, 5), intercept=st.floats(-3, 3)),
    ),
    st.sampled_from(["any", "mean", "share"]),
)
def test_the_line_parts_the_clips_that_are_a_yes(p_ah, threshold, scaling, reducer):
    reduction = Reduction(reducer=reducer, threshold=threshold, scaling=scaling)
    line = clip_threshold(reduction)
    if not math.isclose(p_ah, line, abs_tol=1e-9):
        assert (clip_answer(p_ah, reduction) == YES) == (p_ah >= line)


def test_where_a_yes_begins():
    assert yes_from(0.5) == "Yes from 0.5 on"
    assert yes_from(math.nextafter(0.5, 1)) == "Yes above 0.5"  # a tie is a No


def test_the_line_of_a_vote_is_above_a_tie():
    assert clip_threshold(Reduction(ensemble=Ensemble.VOTE)) == math.nextafter(0.5, 1)
