import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # scikit-learn brings it

from ah_ray.study.evaluation.figures.comparison import compare, mcnemar_p
from ah_ray.study.evaluation.predictions import Predictions, measure

NAMES = {"names": ("a", "b")}


def draw_videos(n, random, knows):
    participant = np.repeat(np.arange(n // 5), 5)
    hard = random.normal(size=n)  # the same for both
    label = np.arange(n) % 2 == 0
    made = []
    for each in knows:
        heard = each * (2 * label - 1) + 1.5 * hard + 0.5 * random.normal(size=n)
        p_ah = 1 / (1 + np.exp(-heard))
        made.append(Predictions.of(label, p_ah, p_ah >= 0.5, participant))
    return made


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_as_a_binomial_test(b, c):
    wanted = 1.0 if b + c == 0 else stats.binomtest(b, b + c).pvalue
    assert mcnemar_p(b, c) == pytest.approx(wanted)


def test_mcnemar_by_hand():
    assert mcnemar_p(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar_p(3, 3) == 1
    assert mcnemar_p(4_000, 6_000) < 1e-80


def test_the_difference_is_that_of_the_measures():
    a, b = draw_videos(200, np.random.default_rng(0), (1.0, 2.0))
    found = compare(a, b, **NAMES)
    alone = measure(a), measure(b)
    for name in ("accuracy", "macro_f1", "average_precision"):
        before, after = (getattr(each, name) for each in alone)
        difference = getattr(found, name)
        assert difference.value == pytest.approx(after.value - before.value)
        # paired: what is hard for both adds no doubt about their difference
        width = difference.high - difference.low
        apart = (after.high - after.low) ** 2 + (before.high - before.low) ** 2
        assert width < 0.9 * apart**0.5
    right = (a.yes == a.label).sum(), (b.yes == b.label).sum()
    assert right[1] - right[0] == found.only_second_right - found.only_first_right


def test_with_itself_nothing_differs():
    (a,) = draw_videos(100, np.random.default_rng(1), (1.0,))
    found = compare(a, a, **NAMES)
    assert found.macro_f1.value == 0
    assert found.macro_f1.low < 0 < found.macro_f1.high, "20 people do not prove it"
    assert (found.only_first_right, found.only_second_right, found.mcnemar_p) == (0, 0, 1)


def test_only_videos_that_both_scored():
    label, participant = [1, 0, 1], np.arange(3)
    a = Predictions.of(label, [0.9, None, 0.8], [True, False, True], participant)
    b = Predictions.of(label, [0.9, 0.9, None], [True, True, False], participant)
    found = compare(a, b, **NAMES)
    assert (found.n_videos, found.accuracy.value) == (1, 0)
    none = Predictions.of(label, [None] * 3, [False] * 3, participant)
    assert compare(a, none, **NAMES) is None
