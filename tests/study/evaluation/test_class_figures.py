"""Figures of several answers and of scales: as scikit-learn and SciPy have them, and intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # scikit-learn brings it
from sklearn import metrics

from ah_ray.study.evaluation.answers.class_figures import (
    NO_ANSWER,
    answer_figures,
    class_intervals,
    count_answers,
    paired_class_intervals,
)
from ah_ray.study.evaluation.answers.scale_figures import (
    error_interval,
    kappa_interval,
    rank_interval,
    scale_figures,
    weighted_kappa,
)

ANSWERS = ("low", "medium", "high", "extreme")
COHORTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-1, 3), st.integers(0, 7)), min_size=1, max_size=60
).map(lambda rows: np.array(rows, np.int64).T)
EVEN = np.array([1.0, 2, 3, 4])


def draw_cohort(n_people=25, seed=0, knows=1.0):
    """(label, answer, value, participant): videos of one participant are alike."""
    random = np.random.default_rng(seed)
    whose = np.repeat(np.arange(n_people), random.integers(3, 9, n_people))
    latent = 0.7 * random.normal(size=n_people)[whose] + random.normal(size=len(whose))
    heard = knows * latent + 0.5 * random.normal(size=n_people)[whose]
    heard += random.normal(size=len(whose))
    cuts = (-0.8, 0.2, 1.0)
    value = 1 + 3 / (1 + np.exp(-heard))
    return np.searchsorted(cuts, latent), np.searchsorted(cuts, heard), value, whose


@given(COHORTS)
def test_answers_as_scikit_learn(cohort):
    label, answer, whose = cohort
    figures = answer_figures(count_answers(label, answer, whose, 4), ANSWERS)
    assert figures.n == len(label) and figures.n_participants == len(set(whose.tolist()))
    assert figures.accuracy.value == pytest.approx(metrics.accuracy_score(label, answer))
    labelled = sorted(set(label.tolist()))
    wanted = metrics.f1_score(label, answer, labels=labelled, average="macro", zero_division=0)
    assert figures.macro_f1.value == pytest.approx(wanted)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        label, answer, labels=range(4), zero_division=np.nan
    )
    for place, one in enumerate(figures.classes):
        assert (one.answer, one.support) == (ANSWERS[place], support[place])
        assert one.n_given == (answer == place).sum()
        assert one.precision.value == (None if not one.n_given else pytest.approx(precision[place]))
        assert one.recall.value == (None if not support[place] else pytest.approx(recall[place]))
        assert one.f1.value == (None if not support[place] else pytest.approx(f1[place]))
    confusion = metrics.confusion_matrix(label, answer, labels=[*range(4), NO_ANSWER])
    assert np.array_equal(np.array(figures.confusion), confusion[:4])


@given(COHORTS)
def test_intervals_hold_their_values(cohort):
    label, answer, whose = cohort
    figures = answer_figures(count_answers(label, answer, whose, 4), ANSWERS)
    each = [figures.accuracy, figures.macro_f1]
    each += [
        getattr(one, name) for one in figures.classes for name in ("precision", "recall", "f1")
    ]
    for found in each:
        if found.low is not None:
            assert 0 <= found.low <= found.value <= found.high <= 1


def test_no_interval_of_perfect_answers_is_a_point():
    label = np.tile(np.arange(4), 20)
    whose = np.repeat(np.arange(20), 4)
    counts = count_answers(label, label, whose, 4)
    figures = answer_figures(counts, ANSWERS)
    scale = scale_figures(EVEN[label], EVEN[label], counts[..., :-1], whose, EVEN)
    for found in (figures.accuracy, figures.macro_f1, figures.classes[0].f1):
        assert found.value == 1 and found.high == 1 and found.low < 0.97
    for found in (scale.rank_correlation, scale.kappa):
        assert found.value == pytest.approx(1) and found.low < 0.995
    assert scale.mean_absolute_error.value == 0 and scale.mean_absolute_error.high > 0.05


def test_a_class_that_few_people_have_leaves_macro_f1_open():
    """Four people are too few, however many videos they have; accuracy has its interval."""
    label = np.where(np.arange(200) < 30, 3, np.arange(200) % 3)
    figures = answer_figures(count_answers(label, label, np.arange(200) // 8, 4), ANSWERS)
    assert figures.macro_f1.too_few and figures.macro_f1.n_participants == 4
    assert figures.accuracy.low is not None and not figures.accuracy.too_few


@pytest.mark.parametrize("seed", range(4))
def test_a_scale_as_scipy_and_scikit_learn(seed):
    label, answer, value, whose = draw_cohort(seed=seed)
    counts = count_answers(label, answer, whose, 4)[..., :-1]
    found = scale_figures(value, EVEN[label], counts, whose, EVEN)
    error = metrics.mean_absolute_error(EVEN[label], value)
    assert found.mean_absolute_error.value == pytest.approx(error)
    ranks = stats.spearmanr(value, label).statistic
    assert found.rank_correlation.value == pytest.approx(ranks)
    kappa = metrics.cohen_kappa_score(label, answer, weights="quadratic")
    assert found.kappa.value == pytest.approx(kappa)
    for one in (found.mean_absolute_error, found.rank_correlation, found.kappa):
        assert one.low < one.value < one.high and one.n_participants == 25


def test_kappa_counts_the_numbers_of_the_scale():
    """Answers that are far apart on the scale weigh more than neighbours in the list."""
    label, answer, _, whose = draw_cohort(seed=5)
    counts = count_answers(label, answer, whose, 4)[..., :-1]
    scale = np.array([0.0, 1, 2, 10])
    distance = (scale[:, None] - scale[None, :]) ** 2
    whole = counts.sum(axis=0)
    chance = np.outer(whole.sum(axis=1), whole.sum(axis=0)) / whole.sum()
    by_hand = 1 - (distance * whole).sum() / (distance * chance).sum()
    assert float(weighted_kappa(whole, scale)) == pytest.approx(by_hand)
    assert float(kappa_interval(counts, scale).value) == pytest.approx(by_hand)


def test_what_is_not_defined():
    label, whose = np.zeros(30, np.int64), np.arange(30) // 3
    counts = count_answers(label, label, whose, 4)[..., :-1]
    assert np.isnan(weighted_kappa(counts.sum(axis=0), EVEN)), "chance explains everything"
    assert np.isnan(rank_interval(np.arange(30.0), EVEN[label], whose).value)
    found = scale_figures(np.arange(30.0) / 10, EVEN[label], counts, whose, EVEN)
    assert found.kappa.value is None and found.rank_correlation.value is None
    assert found.mean_absolute_error.value == pytest.approx(np.abs(np.arange(30) / 10 - 1).mean())


def test_one_person_has_figures_and_no_interval():
    label, answer, value, whose = draw_cohort(n_people=1)
    counts = count_answers(label, answer, whose, 4)
    assert np.isfinite(class_intervals(counts).accuracy.value)
    found = scale_figures(value, EVEN[label], counts[..., :-1], whose, EVEN)
    assert found.kappa.low is None and found.rank_correlation.low is None


def test_the_error_has_the_unit_of_the_scale():
    label, _, value, whose = draw_cohort()
    one = error_interval(value, EVEN[label], whose, 3.0)
    ten = error_interval(10 * value, 10 * EVEN[label], whose, 30.0)
    for name in ("value", "low", "high"):
        assert getattr(ten, name) == pytest.approx(10 * getattr(one, name))


def test_the_same_answers_differ_by_nothing():
    label, answer, _, whose = draw_cohort()
    counts = count_answers(label, answer, whose, 4)
    for found in paired_class_intervals(counts, counts).values():
        assert found.value == 0 and found.low < 0 < found.high
    better = count_answers(label, label, whose, 4)
    gain = paired_class_intervals(counts, better)["accuracy"]
    assert float(gain.value) == pytest.approx((label != answer).mean()) and gain.low > 0
