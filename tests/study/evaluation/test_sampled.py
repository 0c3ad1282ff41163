"""Figures of a cohort from a drawn sample: values, intervals, and what a sample cannot say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.evaluation.figures.sampled import MEANS, RATIOS, Sample, sample_estimate

NAMES = (*RATIOS, *MEANS)


def sample(*strata: tuple[tuple[int, int, int, int], int]) -> Sample:
    """A sample of (tp, fp, fn, tn, videos of the cohort) for each stratum."""
    cells, numbers = [], []
    for number, (counts, _) in enumerate(strata):
        for cell, n in enumerate(counts):
            cells += [np.eye(4)[cell]] * n
            numbers += [number] * n
    return Sample(
        cells=np.array(cells).reshape(-1, 4),
        stratum=np.array(numbers, np.int64),
        n_cohort=np.array([float(n) for _, n in strata]),
    )


def test_a_known_sample():
    """Golden: half of 60 from 250 Yes, half from 550 No, as simulated before this was written."""
    found = sample_estimate("accuracy", sample(((26, 4, 0, 0), 250), ((0, 0, 2, 28), 550)))
    assert found.value == pytest.approx(0.9125)
    assert (found.low, found.high) == pytest.approx((0.8114, 0.9619), abs=5e-5)


def test_the_value_is_of_the_cohort_and_not_of_the_sample():
    """20 Yes of 100 and 20 No of 900: recall of the sample is 15/20, of the cohort 75/300."""
    drawn = sample(((15, 5, 0, 0), 100), ((0, 0, 5, 15), 900))
    values = {name: sample_estimate(name, drawn).value for name in NAMES}
    tp, fp, fn, tn = 75.0, 25.0, 225.0, 675.0
    assert values["recall_ah"] == pytest.approx(tp / (tp + fn))
    assert values["specificity"] == pytest.approx(tn / (tn + fp))
    assert values["precision_ah"] == pytest.approx(0.75)
    assert values["npv"] == pytest.approx(tn / (tn + fn))
    assert values["prevalence"] == pytest.approx((tp + fn) / 1000)
    f1s = 2 * tp / (2 * tp + fp + fn), 2 * tn / (2 * tn + fp + fn)
    assert values["macro_f1"] == pytest.approx(sum(f1s) / 2)


def test_a_sample_without_an_error_does_not_certify_a_model():
    drawn = sample(((30, 0, 0, 0), 400), ((0, 0, 0, 30), 400))
    for name in ("accuracy", "macro_f1", "precision_ah", "recall_ah", "specificity"):
        found = sample_estimate(name, drawn)
        assert found.value == 1 and found.high == 1
        assert found.low < 0.96, name


def test_a_cohort_that_was_judged_whole_has_no_uncertainty():
    found = sample_estimate("accuracy", sample(((8, 2, 0, 0), 10), ((0, 0, 1, 9), 10)))
    assert (found.low, found.value, found.high) == (0.85, 0.85, 0.85)


def test_what_cannot_be_said():
    assert sample_estimate("recall_ah", sample(((0, 3, 0, 9), 100))).value is None  # no A/H
    alone = sample_estimate("accuracy", sample(((1, 0, 0, 0), 40), ((0, 0, 1, 9), 60)))
    assert alone.value == pytest.approx(0.94) and alone.low is None


counts = st.tuples(*[st.integers(0, 12)] * 4)


@given(st.lists(st.tuples(counts, st.integers(50, 500)), min_size=1, max_size=4))
def test_intervals_hold_their_values(strata):
    strata = [(each, n) for each, n in strata if sum(each) >= 2]
    if not strata:
        return
    for name in NAMES:
        found = sample_estimate(name, sample(*strata))
        if found.low is not None:
            assert 0 <= found.low <= found.value + 1e-12 <= found.high + 2e-12 <= 1 + 3e-12
