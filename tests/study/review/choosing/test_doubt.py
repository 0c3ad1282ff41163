"""Doubt: most where Yes and No are as probable, or certain models contradict each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.review.choosing.doubt import measure_doubt, shift_scores
from ah_ray.verdicts.reduction import Reduction, Scaling

P = st.floats(0, 1)


def doubt(*p: float) -> float:
    return float(measure_doubt(np.array([p]))[0])


def test_of_one_model_it_is_the_entropy():
    assert doubt(0.5) == pytest.approx(1)
    assert doubt(0.0) == pytest.approx(0.0, abs=1e-9)
    assert doubt(0.25) == pytest.approx(0.25 * 2 + 0.75 * math.log2(4 / 3))


def test_models_that_contradict_each_other_are_the_most_doubtful():
    assert doubt(0.0, 1.0) == pytest.approx(1.0)
    assert doubt(0.0, 1.0) > doubt(0.3, 0.7) > doubt(0.5, 0.5) == pytest.approx(0.5)


@given(st.lists(P, min_size=1, max_size=4))
def test_it_is_between_0_and_1_and_does_not_depend_on_the_answer(p):
    assert 0 <= doubt(*p) <= 1 + 1e-9
    assert doubt(*p) == pytest.approx(doubt(*(1 - each for each in p)), abs=1e-6)
    assert doubt(*p) == pytest.approx(doubt(*reversed(p)))


@given(P)
def test_a_model_without_a_score_is_left_out(p):
    assert doubt(p, math.nan) == pytest.approx(doubt(p, p))
    assert math.isnan(doubt(math.nan, math.nan))


def test_doubt_is_greatest_where_a_yes_begins():
    """0.6 is the threshold of the one; the other's calibration takes 0.9 for one half."""
    plain, calibrated = (
        Reduction(threshold=0.6),
        Reduction(scaling=Scaling(slope=1, intercept=-math.log(9))),
    )
    assert shift_scores([0.6, 0.9], [plain, calibrated]) == pytest.approx([0.5, 0.5])
    low, high = shift_scores([0.5, 0.95], [plain, calibrated])
    assert low < 0.5 < high
    assert math.isnan(shift_scores([None], [plain])[0])
