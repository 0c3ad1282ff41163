"""How a score comes about, in words, and that no number on a page contradicts an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.config import Ensemble, Reduction
from ah_ray.study.report.wording import (
    describe_clip_scores,
    describe_no,
    describe_reduction,
    describe_yes,
    format_decimal,
    round_score,
    round_threshold,
)
from ah_ray.verdicts.reduction import Scaling
from ah_ray.verdicts.verdict import MORE_THAN_HALF


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
            Reduction(reducer="mean", clip_scaling=Scaling(slope=2), scaling=Scaling(slope=2)),
            "the mean of its clips, each scaled by a calibration, scaled again by a calibration",
        ),
        (
            Reduction(ensemble=Ensemble.VOTE),
            "the share of several models that say Yes, each scoring the video by the highest of "
            "its clips",
        ),
    ],
)
def test_in_words(reduction, words):
    assert describe_reduction(reduction) == words


@given(st.lists(st.floats(0, 1)), st.floats(0, 1))
def test_what_is_shown_puts_every_score_on_its_own_side(scores, threshold):
    line = round_threshold(threshold, scores)
    for p in scores:
        assert (round_score(p, line) >= line) == (p >= threshold)
    assert line in (0, 1) or 0 < line < 1
    assert (line in (0, 1)) == (threshold in (0, 1))


@pytest.mark.parametrize(
    ("threshold", "scores", "line", "shown"),
    [
        (0.5, [0.12345, 0.4999, 0.49999], "0.5", ["0.123", "0.4999", "0.49999"]),
        (0.3684763766, [0.2, 0.9], "0.368", ["0.2", "0.9"]),
        (0.3684763766, [0.3682, 0.36848], "0.36848", ["0.368", "0.3685"]),
        (0.99997, [0.99995, 0.99999], "0.99997", ["0.99995", "1"]),
        (0.0000114, [0.5], "0.0000114", ["0.5"]),
        (MORE_THAN_HALF, [0.5, 2 / 3], "0.5", ["0.5", "0.667"]),
    ],
)
def test_as_few_digits_as_will_do(threshold, scores, line, shown):
    found = round_threshold(threshold, scores)
    assert format_decimal(found) == line
    assert [format_decimal(round_score(p, found)) for p in scores] == shown


def test_a_calibrated_page_says_which_scores_of_clips_it_shows():
    scaling = Scaling(slope=2)
    assert "are calibrated" in describe_clip_scores(Reduction(scaling=scaling))
    assert "before calibration" in describe_clip_scores(Reduction(reducer="share", scaling=scaling))
    counted = Reduction(reducer="share", clip_scaling=scaling)
    assert "and counted so" in describe_clip_scores(counted)
    assert "as the video's is" in describe_clip_scores(Reduction(clip_scaling=scaling))
    assert describe_clip_scores(Reduction()) is None


def test_where_a_yes_begins():
    assert describe_yes(0.5) == "Yes from 0.5 on"
    assert describe_yes(MORE_THAN_HALF) == "Yes above 0.5"  # a tie is a No
    assert describe_no(0.5) == "under the threshold of 0.5"
    assert describe_no(MORE_THAN_HALF) == "0.5 or less"
