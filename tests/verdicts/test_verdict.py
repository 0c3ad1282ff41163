"""From where on a clip is a Yes: on the scale of its video, and as tables hold it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.profile import YES
from ah_ray.verdicts.one_model import answer_clip, reduce_scores
from ah_ray.verdicts.reduction import Ensemble, Reduction, Scaling
from ah_ray.verdicts.verdict import (
    MORE_THAN_HALF,
    calibrate_clip,
    clip_threshold,
    clip_threshold_in_tables,
    with_verdict,
)

SCALINGS = st.builds(Scaling, slope=st.floats(0.2, 5), intercept=st.floats(-3, 3))
REDUCTIONS = st.builds(
    Reduction,
    reducer=st.sampled_from(["any", "mean", "share"]),
    threshold=st.floats(0.05, 0.95),
    clip_scaling=st.none() | SCALINGS,
    scaling=st.none() | SCALINGS,
)


@given(st.floats(0.01, 0.99), REDUCTIONS)
def test_the_line_parts_the_clips_that_are_a_yes(p_ah, reduction):
    is_yes = answer_clip(p_ah, reduction) == YES
    assert (calibrate_clip(p_ah, reduction) >= clip_threshold(reduction)) == is_yes
    line = clip_threshold_in_tables(reduction)
    if not math.isclose(p_ah, line, abs_tol=1e-9):
        assert (p_ah >= line) == is_yes


@given(st.lists(st.floats(0, 1), min_size=1), REDUCTIONS)
def test_the_highest_clip_scores_as_its_video_does(p_ah, reduction):
    """By the published reducer: so a page may show both on one scale."""
    reduction = reduction.model_copy(update={"reducer": "any"})
    video, _ = reduce_scores(p_ah, [5.0] * len(p_ah), reduction)
    assert max(calibrate_clip(p, reduction) for p in p_ah) == video


def test_clips_are_scaled_before_they_are_reduced():
    """Odds of 9 and 1 become 3 and 1: the mean of 0.75 and 0.5, then that with its odds squared."""
    clips, seconds = Scaling(slope=0.5), [5.0, 5.0]
    alone = Reduction(reducer="mean", clip_scaling=clips)
    assert reduce_scores([0.9, 0.5], seconds, alone)[0] == pytest.approx(0.625)
    both = Reduction(reducer="mean", clip_scaling=clips, scaling=Scaling(slope=2))
    assert reduce_scores([0.9, 0.5], seconds, both)[0] == pytest.approx(25 / 34)
    counted = Reduction(reducer="share", clip_scaling=Scaling(slope=1, intercept=-3))
    assert reduce_scores([0.9, 0.99], seconds, counted) == (0.5, "Yes")
    assert [answer_clip(p, counted) for p in (0.9, 0.99)] == ["No", "Yes"]


def test_each_of_several_models_has_its_own_scaling_of_clips():
    members = (Reduction(clip_scaling=Scaling(slope=1, intercept=-9)), Reduction())
    several = Reduction(ensemble=Ensemble.VOTE, members=members)
    row = {"clips": [{"start_s": 0.0, "end_s": 5.0, "p_ah": 0.9, "model_p_ah": [0.9, 0.9]}]}
    found = with_verdict(row, several)
    assert (found["p_ah"], found["answer"]) == (0.5, "No"), "one of two: a tie"
    assert found["clips"][0]["p_ah"] == 0.5


def test_the_line_of_a_vote_is_above_a_tie():
    assert clip_threshold_in_tables(Reduction(ensemble=Ensemble.VOTE)) == MORE_THAN_HALF
