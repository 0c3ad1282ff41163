"""Processes of one machine that would write the same directory take turns."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock file beside `target`; the system drops it when its holder dies.

    If another holds it, `waiting` is called once, which may raise, and then it is waited for.
    """
    with target.with_name(f".{target.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
