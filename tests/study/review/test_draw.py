"""A draw gives everybody in a stratum the same chance, and looks at no score within it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.study.review.draw import Candidate, Strata, draw


def cohort(n_yes: int, n_no: int) -> list[Candidate[str]]:
    n = n_yes + n_no
    return [
        Candidate(
            key=f"v{i:04d}",
            p_ah=i / n,
            answer="Yes" if i >= n_no else "No",
            what=f"v{i:04d}",
        )
        for i in range(n)
    ]


def test_half_from_each_verdict():
    found = draw(cohort(50, 200), 30, Strata.VERDICT, seed=0)
    assert [(s.name, s.n_cohort, s.n_drawn) for s in found.strata] == [
        ("Yes", 50, 15), ("No", 200, 15),
    ]  # fmt: skip
    assert Counter(found.strata[number].name for number, _ in found.drawn) == {"Yes": 15, "No": 15}
    assert len({what for _, what in found.drawn}) == 30


@pytest.mark.parametrize(
    ("n_yes", "n_no", "n", "drawn"),
    [(5, 200, 30, [5, 25]), (50, 3, 30, [27, 3]), (4, 4, 30, [4, 4]), (50, 50, 5, [3, 2]),
     (0, 40, 10, [10]), (40, 0, 10, [10])],
)  # fmt: skip
def test_a_small_stratum_gives_what_it_has(n_yes, n_no, n, drawn):
    found = draw(cohort(n_yes, n_no), n, Strata.VERDICT, seed=0)
    assert [stratum.n_drawn for stratum in found.strata] == drawn


def test_a_quarter_from_each_quarter_of_the_scores():
    found = draw(cohort(50, 200), 40, Strata.SCORE, seed=0)
    assert [(s.n_cohort, s.n_drawn) for s in found.strata] == [
        (62, 10), (63, 10), (62, 10), (63, 10),
    ]  # fmt: skip
    numbers = {what: number for number, what in found.drawn}
    assert [numbers[what] for what in sorted(numbers)] == sorted(numbers.values())


def test_everyone_has_the_same_chance_at_any_score():
    times = Counter(
        what
        for seed in range(2000)
        for _, what in draw(cohort(20, 20), 10, Strata.VERDICT, seed).drawn
    )
    assert len(times) == 40
    assert all(abs(n / 2000 - 0.25) < 0.05 for n in times.values())


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60), st.sampled_from(Strata))
def test_the_draw_is_of_the_cohort_and_can_be_repeated(n_yes, n_no, n, strata):
    people = cohort(n_yes, n_no)
    found = draw(people, n, strata, seed=7)
    assert len(found.drawn) == min(n, len(people)) == sum(s.n_drawn for s in found.strata)
    assert sum(stratum.n_cohort for stratum in found.strata) == len(people)
    assert draw(reversed(people), n, strata, seed=7) == found
