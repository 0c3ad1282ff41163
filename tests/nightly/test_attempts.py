"""What comes next in a night, by how its attempts ended."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.nightly.attempts import MOST_ATTEMPTS, Attempt, Night, Step, next_step

NIGHT = Night(cohort="study-1", date=date(2026, 1, 2))
CODES = st.sampled_from([None, 0, 1, 2, 3, 4, 5, 137, -9])


def ended(code, **more):
    return Attempt(running=False, exit_code=code, **more)


def test_ids_tell_cohort_date_and_attempt():
    assert NIGHT.attempt(2) == "study-1-20260102-2"
    assert NIGHT.number("study-1-20260102-12") == 12
    others = ("study-1-20260103-1", "study-20260102-1", "study-1-20260102-x", "astudy-1-20260102-1")
    assert [NIGHT.number(other) for other in others] == [None] * 4


@pytest.mark.parametrize("cohort", ["", "a b", "a/b", "x" * 49, "é"])
def test_names_that_cannot_be_part_of_an_id(cohort):
    with pytest.raises(ConfigError, match="--cohort"):
        Night(cohort=cohort, date=NIGHT.date)


def test_the_first_attempt_is_submitted_and_a_running_one_followed():
    assert next_step({}) == Step(number=1, submit=True, follow=True)
    assert next_step({1: Attempt(running=True)}) == Step(number=1, follow=True)
    assert next_step({1: Attempt(running=True)}, again=True) == Step(number=1, follow=True)


@pytest.mark.parametrize("code", [None, 1, 137, -9, 3])
def test_what_machines_and_storage_broke_is_tried_once_more(code):
    assert next_step({1: ended(code)}) == Step(number=2, submit=True, follow=True)
    assert next_step({1: ended(code), 2: ended(code)}) == Step(number=2)


@pytest.mark.parametrize("code", [0, 2, 4, 5])
def test_nothing_else_is(code):
    assert next_step({1: ended(code)}) == Step(number=1)
    assert next_step({1: ended(code)}, again=True).number == 2


def test_what_was_asked_to_end_is_not_tried_again():
    assert next_step({1: ended(3, bounded=True)}) == Step(number=1)
    assert next_step({1: ended(None, stopped=True)}) == Step(number=1)


@given(st.lists(CODES, min_size=1))
def test_a_night_ends_by_itself(codes):
    known = {}
    for code in codes:
        step = next_step(known)
        if not step.follow:
            break
        known[step.number] = ended(code)
    assert len(known) <= MOST_ATTEMPTS


@given(CODES)
def test_the_exit_status_is_one_that_schedulers_know(code):
    assert ended(code).exit_status in {0, 2, 3, 4, 5}
    assert ended(code).exit_status == (code if code in (0, 2, 4, 5) else 3)
