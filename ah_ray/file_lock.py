"""A lock between the processes of one machine that would write the same file or folder."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def hold_file_lock(target: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file beside `target` within this block.

    If another process holds it, call `on_wait` once (it may raise), then wait for the lock. The
    system releases the lock of a process that dies.
    """
    with target.with_name(f".{target.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_locked(target: Path) -> bool:
    """Return whether a living process holds the lock file beside `target`."""
    try:
        with target.with_name(f".{target.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
