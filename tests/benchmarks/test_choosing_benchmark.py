"""The learner and the figures of the benchmark of choosing; its table takes minutes to make."""

from __future__ import annotations

import choosing
import numpy as np
import pytest
from choosing import WAYS, Cohort, choose_penalty, fit_head, interval, learn, print_tables
from drawn_rooms import draw_clips
from scipy import stats
from sklearn.linear_model import LogisticRegression


def invent(seed: int, d: int = 6) -> Cohort:
    """People of whom a few are A/H by a rule that the model does not know."""
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(choosing.POOL_PEOPLE + choosing.TEST_PEOPLE), 5)
    embedding = random.normal(size=(len(person), d))
    label = embedding[:, 0] + 0.5 * random.normal(size=len(person)) > 0.9
    p_ah = 1 / (1 + np.exp(-(embedding[:, 1] - 1)))
    return Cohort(label, p_ah, person, embedding)


def test_the_head_is_a_penalised_logistic_regression():
    cohort = invent(0)
    x, y = cohort.embedding, cohort.label
    head = fit_head(x, np.zeros(len(x)), y, penalty=2.0)
    other = LogisticRegression(C=0.5, tol=1e-8, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(head.weights[:-1], other.coef_[0], rtol=0.02, atol=0.02)
    own = np.full(len(x), 3.0)
    shifted = fit_head(x, own, y, penalty=2.0)
    assert shifted.weights[-1] < head.weights[-1] - 2, "it starts from the model's own answer"


def test_few_answers_ask_for_a_strong_penalty():
    cohort = invent(1)
    own = np.zeros(len(cohort.label))
    some = np.arange(0, len(cohort.label), 30)
    args = (cohort.embedding, own, cohort.label, cohort.person)
    few = choose_penalty(*(each[some] for each in args))
    assert few >= choose_penalty(*args)


def test_the_interval_is_students():
    differences = np.array([0.02, 0.05, 0.01, 0.04, 0.03])
    mean, low, high = interval(differences)
    expected = stats.ttest_1samp(differences, 0).confidence_interval()
    assert (mean, low, high) == pytest.approx((0.03, expected.low, expected.high), abs=1e-6)


def test_more_answers_teach_more_in_each_way(monkeypatch, capsys):
    monkeypatch.setattr(choosing, "ROUNDS", (20, 120))
    cohorts = [invent(seed) for seed in (2, 3)]
    curves = {way: np.array([learn(one, way, 5) for one in cohorts]) for way in WAYS}
    for way, curve in curves.items():
        assert curve.shape == (2, 3)
        assert (curve[:, -1] > curve[:, 0] + 0.1).all(), way
    print_tables([2, 3], cohorts, curves)
    printed = capsys.readouterr().out
    assert "With every clip of the pool answered: 0." in printed
    assert "| 120 |" in printed and "At 120 answers, by seed: 2: " in printed


def test_the_same_seed_draws_the_same_clips():
    one, again = ([*draw_clips([2, 1], seed=4)] for _ in range(2))
    assert [number for number, *_ in one] == [0, 0, 1]
    for (_, label, clip), (_, same, other) in zip(one, again, strict=True):
        assert label == same
        np.testing.assert_array_equal(clip.frames, other.frames)
        np.testing.assert_array_equal(clip.samples, other.samples)
