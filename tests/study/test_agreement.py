"""Agreement against scikit-learn, published figures, and its own rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from ah_ray.study.agreement import cohens_kappa, fleiss_kappa, majority

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


@pytest.mark.filterwarnings("ignore")
@given(PAIRS)
def test_cohens_kappa_is_scikit_learns(pairs):
    a, b = zip(*pairs, strict=True)
    found, theirs = cohens_kappa(a, b), cohen_kappa_score(a, b)
    assert math.isnan(theirs) if found is None else found == pytest.approx(theirs)


def test_cohens_kappa_of_a_textbook():
    """50 grant proposals: 20 times both yes, 15 both no, 5 and 10 one each: 0.4."""
    answers = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    assert cohens_kappa(*zip(*answers, strict=True)) == pytest.approx(0.4)


def test_fleiss_kappa_counted_by_hand():
    """Four clips, three reviewers, 3, 2, 1 and 0 Yes: P = (1 + 1/3 + 1/3 + 1)/4, P_e = 1/2."""
    assert fleiss_kappa([3, 2, 1, 0], 3) == pytest.approx((2 / 3 - 1 / 2) / (1 - 1 / 2))


@given(st.integers(2, 6).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=1, max_size=20))
))  # fmt: skip
def test_fleiss_kappa_counts_pairs_of_answers(drawn):
    """Its P is the share of pairs of answers to the same clip that agree."""
    n, n_yes = drawn
    answers = [[True] * yes + [False] * (n - yes) for yes in n_yes]
    pairs = [(a, b) for clip in answers for i, a in enumerate(clip) for b in clip[i + 1 :]]
    observed = sum(a == b for a, b in pairs) / len(pairs)
    share = sum(n_yes) / (n * len(n_yes))
    by_chance = share**2 + (1 - share) ** 2
    found = fleiss_kappa(n_yes, n)
    if by_chance == 1:
        assert found is None
    else:
        assert found == pytest.approx((observed - by_chance) / (1 - by_chance))


def test_nothing_is_beyond_chance_where_there_is_no_choice():
    assert cohens_kappa([], []) is None and fleiss_kappa([], 3) is None
    assert cohens_kappa([True] * 3, [True] * 3) is None and fleiss_kappa([3, 3], 3) is None


@given(st.lists(st.booleans(), min_size=1))
def test_a_majority_is_more_than_half(answers):
    yes, no = answers.count(True), answers.count(False)
    assert majority(answers) == (None if yes == no else yes > no)
