"""Intervals: that they hold what they should as often as they say, and move as they should."""

import time
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats  # scikit-learn brings it

from ah_ray.study.evaluation.bootstrap import (
    MIN_PARTICIPANTS,
    Bootstrap,
    Estimate,
    _expanded,
    of_counts,
    of_weights,
    times_drawn,
)
from ah_ray.study.evaluation.measures import answer_measures, average_precision, confusions

BOOTSTRAP = Bootstrap()


def drawn_cohort(n_participants, random):
    """(participant, label, p_ah): 3 to 9 videos each, which are alike; most scores tell."""
    participant = np.repeat(np.arange(n_participants), random.integers(3, 10, n_participants))
    own, mistaken = (random.normal(size=n_participants)[participant] for _ in range(2))
    label = 0.8 * own + random.normal(size=len(participant)) > 0.3
    heard = 0.9 * (2 * label - 1) + 0.7 * mistaken + random.normal(size=len(participant))
    return participant, label, 1 / (1 + np.exp(-heard))


def macro_f1(participant, label, p_ah, bootstrap=BOOTSTRAP):
    counts = confusions(label, p_ah >= 0.5)
    return of_counts(answer_measures, counts, participant, bootstrap)["macro_f1"]


@pytest.mark.parametrize("n_participants", [75, pytest.param(195, marks=pytest.mark.heavy)])
def test_95_of_100_intervals_hold_the_truth(n_participants):
    random = np.random.default_rng(20)
    truth = macro_f1(*drawn_cohort(400_000, random), Bootstrap(draws=1)).value
    n_cohorts, held = 2_000, 0
    for _ in range(n_cohorts):
        found = macro_f1(*drawn_cohort(n_participants, random))
        held += found.low <= truth <= found.high
    assert 0.93 <= held / n_cohorts <= 0.97


def test_participants_are_drawn_not_videos():
    participant, label, p_ah = drawn_cohort(75, np.random.default_rng(1))
    each_alone = macro_f1(np.arange(len(label)), label, p_ah)
    copied = macro_f1(np.tile(participant, 4), np.tile(label, 4), np.tile(p_ah, 4))
    found = macro_f1(participant, label, p_ah)
    assert (copied.low, copied.high) == pytest.approx((found.low, found.high))
    assert found.high - found.low > each_alone.high - each_alone.low


def test_the_seed_says_all():
    participant, label, p_ah = drawn_cohort(30, np.random.default_rng(2))
    same = [macro_f1(participant, label, p_ah, Bootstrap(seed=7)) for _ in range(2)]
    assert same[0] == same[1] != macro_f1(participant, label, p_ah, Bootstrap(seed=8))
    assert times_drawn(5, Bootstrap(draws=3, seed=1)).sum(axis=1).tolist() == [5, 5, 5]


def test_weights_and_counts_agree():
    participant, label, p_ah = drawn_cohort(20, np.random.default_rng(3))
    counts = confusions(label, p_ah >= 0.5)
    by_weights = of_weights(
        lambda weights: answer_measures(weights @ counts)["macro_f1"], participant, BOOTSTRAP
    )
    by_counts = macro_f1(participant, label, p_ah)
    assert [by_weights.low, by_weights.high] == pytest.approx([by_counts.low, by_counts.high])


def test_what_is_not_defined_is_null():
    participant, p_ah = np.arange(20), np.linspace(0, 1, 20)

    def measure(label):
        return of_weights(
            lambda weights: average_precision(label, p_ah, weights), participant, BOOTSTRAP
        )

    assert measure(np.zeros(20, bool)) == Estimate(value=None)
    one = measure(np.arange(20) == 19)  # absent from a third of all draws, which are left out
    assert (one.value, one.low, one.high) == (1, 1, 1)


def test_of_few_participants_there_is_no_interval():
    participant, label, p_ah = drawn_cohort(MIN_PARTICIPANTS, np.random.default_rng(4))
    assert macro_f1(participant, label, p_ah).low is not None
    fewer = participant > 0
    found = macro_f1(participant[fewer], label[fewer], p_ah[fewer])
    assert found.value is not None and found.low is None and found.high is None


@pytest.mark.parametrize("n", [10, 30, 75, 1000])
def test_expanded_as_by_the_true_quantile_of_student(n):
    wanted = stats.t.ppf(0.025, n - 1) * (n / (n - 1)) ** 0.5
    assert NormalDist().cdf(_expanded(n, 0.95)) == pytest.approx(stats.norm.cdf(wanted), rel=0.01)


def test_ten_thousand_videos_take_seconds():
    participant, label, p_ah = drawn_cohort(1_700, np.random.default_rng(5))
    start = time.process_time()
    of_weights(lambda weights: average_precision(label, p_ah, weights), participant, BOOTSTRAP)
    assert time.process_time() - start < 20
