"""Trying again what may pass: backoff with jitter, bounded, and counted.

Stores raise `Transient` for what may pass, and the project's own errors for what will not.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from ah_ray.errors import StorageError

T = TypeVar("T")


class Transient(Exception):
    """A fault that may pass by itself: 5xx, SlowDown, a reset, a timeout, a short body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on. The defaults ride out a minute of SlowDown."""

    attempts: int = 8
    budget_s: float = 60.0  # no further attempt begins after this
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0
    call_timeout_s: float | None = None  # of one small request; None: the client's own timeouts


_USUAL = Patience()

HASTY = Patience(attempts=3, budget_s=4.0, call_timeout_s=4.0)
"""For settings that a user waits to see checked."""

_patience: ContextVar[Patience] = ContextVar("patience", default=_USUAL)


def current_patience() -> Patience:
    return _patience.get()


@contextmanager
def patience(value: Patience) -> Iterator[None]:
    """Within this block, in this thread, storage is as patient as `value` says."""
    token = _patience.set(value)
    try:
        yield
    finally:
        _patience.reset(token)


_lock = threading.Lock()
_retries = _told = 0


def retries() -> int:
    """How often this process tried a storage call again, so far."""
    return _retries


def new_retries() -> int:
    """How often since this was last asked: what an actor adds to the count of its run."""
    global _told
    with _lock:
        new, _told = _retries - _told, _retries
    return new


class Attempts:
    """The patience that is left for one operation."""

    def __init__(self, doing: str):
        self._doing = doing
        self.reset()

    def reset(self) -> None:
        """Starts afresh: the operation has got further, so the store is not down."""
        self._patience = _patience.get()
        self._made = 1
        self._began = time.monotonic()

    def after(self, fault: Transient) -> None:
        """Waits before the next attempt. Raises StorageError if there shall be none."""
        global _retries
        limits = self._patience
        pause_s = min(limits.first_pause_s * 2 ** (self._made - 1), limits.longest_pause_s)
        pause_s *= random.uniform(0.5, 1.0)  # so that many workers do not come back as one
        elapsed_s = time.monotonic() - self._began
        if self._made >= limits.attempts or elapsed_s + pause_s > limits.budget_s:
            times = f"{self._made} times in {elapsed_s:.0f} s"
            raise StorageError(f"{self._doing} failed {times}: {fault}") from fault
        self._made += 1
        with _lock:
            _retries += 1
        time.sleep(pause_s)


def call(action: Callable[[], T], doing: str) -> T:
    """The result of `action`, tried again after each `Transient`.

    `doing` begins the message of the StorageError that ends it, as in "reading s3://bucket/key".
    """
    attempts = Attempts(doing)
    while True:
        try:
            return action()
        except Transient as fault:
            attempts.after(fault)
