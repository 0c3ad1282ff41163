"""Retries of faults that may pass: with backoff and jitter, bounded, and counted.

Stores raise `Transient` for faults that may pass, and the errors of errors.py for all others.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from ah_ray.errors import StorageError
from ah_ray.naming import name_in_message

T = TypeVar("T")


class Transient(Exception):
    """A fault that may pass by itself: 5xx, SlowDown, a reset, a timeout, a short body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to retry. The defaults outlast a minute of SlowDown responses."""

    attempts: int = 8
    budget_s: float = 60.0  # no further attempt begins after this
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    call_timeout_s: float | None = None  # of one small request; None: the client's own timeouts


_USUAL = Patience()

HASTY = Patience(attempts=3, budget_s=4.0, call_timeout_s=4.0)
"""For checks of settings, while a user waits."""

_patience: ContextVar[Patience] = ContextVar("patience", default=_USUAL)


def current_patience() -> Patience:
    """Return the patience of this thread."""
    return _patience.get()


@contextmanager
def patience(value: Patience) -> Iterator[None]:
    """Use this patience for storage operations within this block, in this thread."""
    token = _patience.set(value)
    try:
        yield
    finally:
        _patience.reset(token)


_lock = threading.Lock()
_retries = _reported = 0


def count_retries() -> int:
    """Return how many storage requests this process has retried so far."""
    return _retries


def take_new_retries() -> int:
    """Return the number of retries since the last call. Actors add it to their run's count."""
    global _reported
    with _lock:
        new, _reported = _retries - _reported, _retries
    return new


class Attempts:
    """The attempts at one operation, and the time they may still take."""

    def __init__(self, doing: str):
        self._doing = doing
        self.reset()

    def reset(self) -> None:
        """Start again with full patience, because the operation made progress."""
        self._patience = _patience.get()
        self._made = 1
        self._began = time.monotonic()

    def after(self, fault: Transient) -> None:
        """Wait before the next attempt. Raise StorageError if there are no attempts left."""
        global _retries
        limits = self._patience
        pause_s = min(limits.first_pause_s * 2 ** (self._made - 1), limits.longest_pause_s)
        pause_s *= random.uniform(0.5, 1.0)  # so that many workers do not retry at once
        elapsed_s = time.monotonic() - self._began
        if self._made >= limits.attempts or elapsed_s + pause_s > limits.budget_s:
            times = f"{self._made} times in {elapsed_s:.0f} s"
            raise StorageError(f"{self._doing} failed {times}: {fault}") from fault
        self._made += 1
        with _lock:
            _retries += 1
        time.sleep(pause_s)


def retry_call(action: Callable[[], T], doing: str) -> T:
    """Return the result of `action`. Retry after each `Transient`.

    Raise StorageError after the last attempt. `doing` begins its message, for example
    "reading s3://bucket/key".
    """
    attempts = Attempts(doing)
    while True:
        try:
            return action()
        except Transient as fault:
            attempts.after(fault)


def retry_translated(
    action: Callable[[], T],
    translate: Callable[[str, str], AbstractContextManager[None]],
    doing: str,
    uri: str,
) -> T:
    """Return the result of `action`, which calls a store's own client.

    `translate(doing, uri)` makes its errors ours, or `Transient`, after which it is retried.
    """

    def attempt() -> T:
        with translate(doing, uri):
            return action()

    return retry_call(attempt, f"{doing} {name_in_message(uri)}")
