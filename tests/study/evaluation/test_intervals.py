"""Intervals: known values, what they must do in every case, and that they cover."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # scikit-learn brings it

from ah_ray.study.evaluation.figures.answer_intervals import (
    answer_estimates,
    answer_intervals,
    group_differences,
    macro_f1_over_questions,
    paired_intervals,
)
from ah_ray.study.evaluation.figures.calibration_intervals import (
    FEWEST_FOR_LOSSES,
    in_the_large,
    mean_losses,
)
from ah_ray.study.evaluation.figures.estimate import FEWEST_PEOPLE, Estimate, estimate_of
from ah_ray.study.evaluation.figures.intervals import most_effective, share_interval
from ah_ray.study.evaluation.figures.measures import (
    answer_measures,
    auroc,
    average_precision,
    average_precision_1000,
    confusions,
)
from ah_ray.study.evaluation.figures.score_intervals import score_difference, score_interval
from ah_ray.study.evaluation.figures.student import student_quantile

VIDEOS = np.array([4, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1])  # of each participant
COUNTS = st.lists(st.tuples(*[st.integers(0, 5)] * 4).filter(any), min_size=1, max_size=30).map(
    lambda rows: np.array(rows, float)
)


def drawn_cohort(n_participants, random):
    """(participant, label, p_ah): 3 to 9 videos each, which are alike; most scores are right."""
    participant = np.repeat(np.arange(n_participants), random.integers(3, 10, n_participants))
    own, mistaken = (random.normal(size=n_participants)[participant] for _ in range(2))
    label = 0.8 * own + random.normal(size=len(participant)) > 0.3
    heard = 0.9 * (2 * label - 1) + 0.7 * mistaken + random.normal(size=len(participant))
    return participant, label, 1 / (1 + np.exp(-heard))


def counts_of(participant, label, p_ah):
    counts = np.zeros((participant.max() + 1, 4))
    np.add.at(counts, participant, confusions(label, p_ah >= 0.5))
    return counts


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_quantiles_as_scipy(level):
    df = np.concatenate([np.linspace(1, 3, 200), np.linspace(3, 300, 200), [1000, 9999]])
    assert student_quantile(level, df) == pytest.approx(stats.t.ppf(0.5 + level / 2, df), rel=2e-6)


def test_a_share_by_known_values():
    """20 of 23, and 23 of 23, of eleven people; computed apart from this code."""
    found = share_interval(VIDEOS - np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]), VIDEOS)
    assert float(found.value) == pytest.approx(20 / 23)
    assert float(most_effective(VIDEOS.astype(float))) == pytest.approx(19.59, abs=0.005)
    assert float(found.df) == pytest.approx(7.42, abs=0.005)
    assert [float(found.low), float(found.high)] == pytest.approx([0.6122, 0.9657], abs=5e-5)
    without_fault = share_interval(VIDEOS, VIDEOS)
    assert float(without_fault.low) == pytest.approx(0.7819, abs=5e-5)
    assert float(without_fault.high) == 1


def test_no_interval_is_a_point():
    """A model without a fault on 20 people is not certain to have none."""
    perfect = np.tile([2.0, 0, 0, 2], (20, 1))
    for name, found in answer_estimates(perfect).items():
        assert found.value == (0.5 if name == "rate_of_yes" else 1), name
        assert found.high - found.low > 0.04, name
    assert paired_intervals(perfect, perfect)["macro_f1"].high > 0.01


@given(COUNTS)
def test_an_interval_holds_its_value_and_stays_between_0_and_1(counts):
    for name, found in answer_estimates(counts).items():
        if found.value is not None and found.low is not None:
            assert 0 <= found.low <= found.value <= found.high <= 1, name


def test_rounding_puts_no_limit_below_0():
    """F1 of a class without a hit is 0, and so is the lower limit of macro-F1, not −2·10⁻¹⁷."""
    without_hits = np.array([(0, 0, 2, 0)] * 4 + [(0, 1, 1, 0)], float)
    found = answer_estimates(without_hits)["macro_f1"]
    assert found.value == found.low == 0


@given(COUNTS)
def test_values_are_those_of_the_measures(counts):
    whole = counts.sum(axis=0)
    tp, fp, fn, tn = whole
    wanted = answer_measures(whole)
    found = {name: each.value for name, each in answer_estimates(counts).items()}
    undefined = {
        "recall_ah": tp + fn == 0,
        "specificity": tn + fp == 0,
        "precision_ah": tp + fp == 0,
        "npv": tn + fn == 0,
        "f1_ah": tp + fn == 0,
        "f1_not_ah": tn + fp == 0,
        "balanced_accuracy": (tp + fn) * (tn + fp) == 0,
        "macro_f1": (tp + fn) * (tn + fp) == 0,
    }
    assert set(found) == set(wanted)
    for name, value in found.items():
        if undefined.get(name, False):
            assert value is None, f"{name}: 0/0 is no figure"
        else:
            assert value == pytest.approx(wanted[name]), name


@settings(max_examples=40)
@given(st.lists(COUNTS, min_size=2, max_size=4))
def test_a_mean_over_questions_is_of_those_with_both_labels(of_questions):
    people = max(map(len, of_questions))
    counts = np.stack([np.vstack([c, np.zeros((people - len(c), 4))]) for c in of_questions])
    found = estimate_of(macro_f1_over_questions(counts))
    each = [answer_estimates(one)["macro_f1"].value for one in counts]
    known = [value for value in each if value is not None]
    if len(known) < 2:
        assert found == Estimate(value=None)
        return
    assert found.value == pytest.approx(np.mean(known))
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1
    order = np.argsort(counts.sum(axis=(1, 2)))
    other = estimate_of(macro_f1_over_questions(counts[order][:, ::-1]))
    assert (other.low, other.high) == pytest.approx((found.low, found.high)) or found.low is None


def test_a_mean_over_questions_without_a_fault_is_open_below():
    one = np.tile([(1.0, 0, 0, 0), (0, 0, 0, 1.0)], (6, 1))
    found = estimate_of(macro_f1_over_questions(np.stack([one, one, one])))
    assert (found.value, found.high) == (1, 1) and 0.6 < found.low < 0.95
    alone = estimate_of(macro_f1_over_questions(np.stack([one[:2], one[:2]])))
    assert (alone.value, alone.low, alone.too_few) == (1, None, True), "one person of each label"


@settings(max_examples=40)
@given(COUNTS, st.randoms(use_true_random=False))
def test_the_order_of_people_and_people_without_videos_change_nothing(counts, random):
    order = random.sample(range(len(counts)), len(counts))
    more = np.vstack([counts[order], np.zeros((2, 4))])
    others = answer_estimates(more)
    for name, found in answer_estimates(counts).items():
        other = others[name]
        for field in ("value", "low", "high"):
            assert getattr(found, field) == pytest.approx(getattr(other, field)), name


def test_participants_count_not_videos():
    participant, label, p_ah = drawn_cohort(75, np.random.default_rng(1))
    found = answer_estimates(counts_of(participant, label, p_ah))["macro_f1"]
    alone = answer_estimates(counts_of(np.arange(len(label)), label, p_ah))["macro_f1"]
    copied = answer_estimates(
        counts_of(np.tile(participant, 4), np.tile(label, 4), np.tile(p_ah, 4))
    )["macro_f1"]
    assert found.high - found.low > alone.high - alone.low
    assert copied.high - copied.low > 0.9 * (found.high - found.low)


def test_counts_and_too_few_stand_beside_the_figure():
    counts = np.array([[2.0, 0, 1, 1]] * 4 + [[0.0, 1, 0, 2]] * 8)
    found = answer_estimates(counts)
    recall = found["recall_ah"]
    assert (recall.k, recall.n, recall.n_participants) == (8, 12, 4)
    assert recall.too_few and recall.low is None and recall.value == pytest.approx(8 / 12)
    accuracy = found["accuracy"]
    assert (accuracy.k, accuracy.n, accuracy.n_participants) == (28, 40, 12)
    assert accuracy.low is not None and not accuracy.too_few
    wide = answer_estimates(np.array([[1.0, 0, 1, 1]] * FEWEST_PEOPLE))["recall_ah"]
    assert wide.too_few and wide.high - wide.low > 0.4


def test_one_person_has_no_interval():
    assert answer_estimates(np.array([[3.0, 1, 1, 3]]))["accuracy"].low is None


@pytest.mark.parametrize("measure", [average_precision, average_precision_1000, auroc])
def test_scores_have_intervals_that_hold_their_value(measure):
    participant, label, p_ah = drawn_cohort(30, np.random.default_rng(3))
    found = estimate_of(score_interval(measure, label, p_ah, participant))
    assert found.low < found.value < found.high
    none = np.zeros(len(label), bool)
    assert estimate_of(score_interval(measure, none, p_ah, participant)) == Estimate(value=None)


def test_leaving_out_is_what_it_says():
    """The jackknife's variance, against a loop over participants."""
    participant, label, p_ah = drawn_cohort(12, np.random.default_rng(4))
    left = [
        average_precision(label[w], p_ah[w], np.ones((1, w.sum())))[0]
        for w in (participant != i for i in range(12))
    ]
    wanted = 11 / 12 * ((left - np.mean(left)) ** 2).sum()
    found = score_interval(average_precision, label, p_ah, participant)
    assert float(found.variance) == pytest.approx(wanted)


def test_losses_have_an_interval_only_where_it_covers():
    random = np.random.default_rng(5)
    for n, has_interval in ((FEWEST_FOR_LOSSES - 1, False), (FEWEST_FOR_LOSSES, True)):
        participant, label, p_ah = drawn_cohort(n, random)
        brier = estimate_of(mean_losses(label, p_ah, participant)["brier"])
        assert (brier.low is not None) is has_interval
        assert brier.value == pytest.approx(((p_ah - label) ** 2).mean())
        large = estimate_of(in_the_large(label, p_ah, participant))
        assert large.value == pytest.approx(p_ah.mean() - label.mean())
        assert large.low < large.value < large.high


def shares(rate, icc, n_cohorts, n_people, random):
    b = random.integers(3, 8, (n_cohorts, n_people))
    each = random.beta(rate * (1 / icc - 1), (1 - rate) * (1 / icc - 1), b.shape)
    return random.binomial(b, each), b


@pytest.mark.parametrize("n_people", [10, 15, 30, 75])
@pytest.mark.parametrize(("rate", "icc"), [(0.965, 0.1), (0.7, 0.3), (0.5, 0.1)])
def test_95_of_100_intervals_hold_a_share(n_people, rate, icc):
    """benchmarks/coverage.py does so for all measures and many more cells."""
    a, b = shares(rate, icc, 4_000, n_people, np.random.default_rng(6))
    found = share_interval(a, b)
    assert ((found.low <= rate) & (rate <= found.high)).mean() >= 0.93


@pytest.mark.parametrize("n_people", [15, 75])
def test_95_of_100_intervals_hold_macro_f1_and_differences(n_people):
    random = np.random.default_rng(7)
    n = random.integers(3, 8, (3_000, n_people))
    n_ah = random.binomial(n, 0.3)

    def model(recall, specificity):
        tp, tn = random.binomial(n_ah, recall), random.binomial(n - n_ah, specificity)
        return np.stack([tp, n - n_ah - tn, n_ah - tp, tn], -1).astype(float)

    def truth(recall, specificity):
        return answer_measures(
            [0.3 * recall, 0.7 * (1 - specificity), 0.3 * (1 - recall), 0.7 * specificity]
        )

    first, second = model(0.9, 0.8), model(0.7, 0.9)
    a, b = truth(0.9, 0.8), truth(0.7, 0.9)
    for name in ("macro_f1", "balanced_accuracy", "weighted_f1", "npv"):
        found = answer_intervals(first)[name]
        assert ((found.low <= a[name]) & (a[name] <= found.high)).mean() >= 0.93, name
    for name, found in paired_intervals(first, second).items():
        difference = b[name] - a[name]
        assert ((found.low <= difference) & (difference <= found.high)).mean() >= 0.93, name


@pytest.mark.parametrize("n_people", [15, 75])
def test_95_of_100_intervals_hold_a_mean_over_questions(n_people):
    """Each participant answers each question once, about as in BAH; one in three is often wrong."""
    random, shares_of_ah = np.random.default_rng(8), np.array([0.23, 0.5, 0.93])
    shape = (2_000, 3, n_people)
    right = np.where(random.random((2_000, 1, n_people)) < 1 / 3, 0.6, 0.95)
    label = random.random(shape) < shares_of_ah[:, None]
    yes = label == (random.random(shape) < right)
    counts = np.stack([label & yes, ~label & yes, label & ~yes, ~label & ~yes], -1).astype(float)
    accuracy = (0.6 + 2 * 0.95) / 3
    parts = [(p * accuracy, (1 - p) * (1 - accuracy), p * (1 - accuracy), (1 - p) * accuracy)
             for p in shares_of_ah]  # fmt: skip
    of_question = np.array([answer_measures(each)["macro_f1"] for each in parts])
    has_both = label.any(axis=-1) & ~label.all(axis=-1)
    truth = (has_both * of_question).sum(axis=-1) / has_both.sum(axis=-1)
    found = macro_f1_over_questions(counts)
    printed = found.n_people >= FEWEST_PEOPLE
    assert printed.mean() > 0.9
    assert ((found.low <= truth) & (truth <= found.high))[printed].mean() >= 0.93


def test_95_of_100_intervals_hold_the_difference_of_groups():
    random = np.random.default_rng(8)
    n = random.integers(3, 8, (3_000, 40))
    n_ah = random.binomial(n, 0.4)
    in_group = np.arange(40) < 15
    tp = random.binomial(n_ah, np.where(in_group, 0.6, 0.9))
    tn = random.binomial(n - n_ah, 0.8)
    counts = np.stack([tp, n - n_ah - tn, n_ah - tp, tn], -1).astype(float)
    found = group_differences(counts * in_group[:, None], counts * ~in_group[:, None])
    for name, truth in (("recall_ah", -0.3), ("specificity", 0.0)):
        held = (found[name].low <= truth) & (truth <= found[name].high)
        assert held.mean() >= 0.93, name


@pytest.mark.heavy
@pytest.mark.parametrize("n_people", [15, 75])
def test_95_of_100_intervals_hold_average_precision_and_auroc(n_people):
    random = np.random.default_rng(9)
    _, label, p_ah = drawn_cohort(100_000, random)
    one, n_cohorts = np.ones((1, len(label))), 800
    for measure in (average_precision, auroc):
        truth = measure(label, p_ah, one)[0]
        held = 0
        for _ in range(n_cohorts):
            whose, label_, p = drawn_cohort(n_people, random)
            found = score_interval(measure, label_, p, whose)
            held += bool(found.low <= truth <= found.high)
        assert held / n_cohorts >= 0.93, measure.__name__


def test_ten_thousand_videos_take_seconds():
    participant, label, p_ah = drawn_cohort(1_700, np.random.default_rng(5))
    start = time.process_time()
    score_interval(average_precision, label, p_ah, participant)
    score_difference(average_precision, label, p_ah, p_ah**2, participant)
    assert time.process_time() - start < 20
