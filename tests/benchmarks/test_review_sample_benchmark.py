"""The simulation behind `jobs/clips.py --draw`: 60 drawn videos of 800 tell how good a model is."""

from __future__ import annotations

import numpy as np
import pytest
import review_sample
from review_sample import invent, simulate, surest_accuracy

from ah_ray.study.review.draw import Strata

CELLS = [(0.3, (0.7, 0.7)), (0.3, (0.9, 0.9)), (0.5, (0.6, 0.9))]


def check_bounds(found, *, bias: float, coverage: float) -> None:
    for name in ("accuracy", "specificity", "macro_f1"):
        assert abs(np.mean(found[name].errors)) < bias, name
        assert np.mean(found[name].covered) >= coverage, name


def test_a_drawn_sample_is_not_biased():
    """A quick one; the heavy test below has enough cohorts to judge coverage."""
    found = simulate(n_cohorts=60, n_videos=800, n_drawn=60, rate=0.3, ability=(0.7, 0.7))
    check_bounds(found, bias=0.03, coverage=0.85)


@pytest.mark.heavy
@pytest.mark.parametrize(("rate", "ability"), CELLS)
@pytest.mark.parametrize("strata", Strata)
def test_bias_and_coverage_over_500_cohorts(rate, ability, strata):
    found = simulate(
        n_cohorts=500, n_videos=800, n_drawn=60, rate=rate, ability=ability, strata=strata
    )
    check_bounds(found, bias=0.015, coverage=0.93)


def test_the_surest_moments_certify_any_model():
    """Why a draw is needed."""
    cohort = invent(800, 0.3, (0.7, 0.7), np.random.default_rng(0))
    assert float((cohort.label == cohort.yes).mean()) < 0.72
    assert surest_accuracy(cohort, 60) == 1


def test_the_table_has_a_command():
    assert "python benchmarks/review_sample.py" in review_sample.__doc__
