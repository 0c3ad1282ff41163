"""From where on a clip is a Yes: on the scale of its video, and as tables hold it."""

from __future__ import annotations

import math

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
)

REDUCTIONS = st.builds(
    Reduction,
    reducer=st.sampled_from(["any", "mean", "share"]),
    threshold=st.floats(0.05, 0.95),
    scaling=st.none() | st.builds(Scaling, slope=st.floats(0.2, 5), intercept=st.floats(-3, 3)),
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


def test_the_line_of_a_vote_is_above_a_tie():
    assert clip_threshold_in_tables(Reduction(ensemble=Ensemble.VOTE)) == MORE_THAN_HALF
