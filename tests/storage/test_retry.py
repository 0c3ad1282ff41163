from __future__ import annotations

import time

import pytest

from ah_ray.errors import ObjectMissing, StorageError
from ah_ray.storage.retry import (
    Attempts,
    Patience,
    Transient,
    count_retries,
    current_patience,
    patience,
    retry_call,
)

QUICK = Patience(attempts=4, budget_s=5, first_pause_s=0.001, longest_pause_s=0.01)


def failing(times: int, error: Exception):
    """An action that raises `times` times, then returns how often it was called."""
    calls = 0

    def action() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        return calls

    return action


def test_what_passes_is_tried_again_and_counted():
    before = count_retries()
    with patience(QUICK):
        assert retry_call(failing(3, Transient("503")), "reading x") == 4
    assert count_retries() - before == 3


def test_what_does_not_pass_ends_with_what_and_why():
    with (
        patience(QUICK),
        pytest.raises(StorageError, match=r"^reading x failed 4 times in 0 s: SlowDown$"),
    ):
        retry_call(failing(4, Transient("SlowDown")), "reading x")


def test_other_errors_are_not_tried_again():
    action = failing(1, ObjectMissing("gone"))
    with pytest.raises(ObjectMissing):
        retry_call(action, "reading x")
    assert action() == 2


def test_the_budget_ends_it_before_the_attempts_do():
    limits = Patience(attempts=200, budget_s=0.3, first_pause_s=0.05, longest_pause_s=0.05)
    began = time.monotonic()
    with patience(limits), pytest.raises(StorageError):
        retry_call(failing(200, Transient("503")), "reading x")
    assert time.monotonic() - began < 2.5, "all attempts would take 5 s and more"


def test_pauses_grow_and_all_of_them_take_about_a_minute_at_most():
    usual = Patience()
    growing = (usual.first_pause_s * 2**n for n in range(usual.attempts - 1))
    pauses = [min(pause_s, usual.longest_pause_s) for pause_s in growing]
    assert pauses == sorted(pauses)
    assert 10 < sum(pauses) < usual.budget_s


def test_progress_gives_new_patience():
    with patience(QUICK):
        attempts = Attempts("reading x")
        for _ in range(10):
            attempts.reset()
            attempts.after(Transient("reset"))


def test_patience_is_the_usual_one_again_after_the_block():
    usual = current_patience()
    with patience(QUICK):
        assert current_patience() == QUICK
    assert current_patience() == usual
