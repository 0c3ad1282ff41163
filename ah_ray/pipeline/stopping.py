"""How a run is stopped before its end: by a signal, at a deadline, when its budget is spent.

The first Ctrl-C or SIGTERM asks for a clean stop, the second insists. The clock's stop is a clean
one too. What is complete is then written, and the next run goes on from there.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from ah_ray.exit_status import ExitStatus


class Stop(KeyboardInterrupt):
    """The run must end now; the message is the reason."""


class Stopper:
    """Stops one run from another thread, at most once, with a reason."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._handled = False  # signals of this process reach the run

    def ask(self, reason: str) -> None:
        """Stop the run as soon as possible. The first reason counts."""
        if self.reason is None:
            self.reason = reason
            if self._handled:
                os.kill(os.getpid(), signal.SIGTERM)

    def check(self) -> None:
        """Raise Stop if the run was asked to end. For runs that signals do not reach."""
        if self.reason is not None and not self._handled:
            raise Stop(self.reason)

    @contextmanager
    def listening(self, say: Callable[[str], None]) -> Iterator[None]:
        """Within it, the first SIGINT or SIGTERM raises Stop in the main thread.

        A second signal ends the process at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # as a library, in a thread: the application handles signals
            return
        asked = False

        def stop(_number: int, _frame: object) -> None:
            nonlocal asked
            if asked:
                os._exit(ExitStatus.MISSING_ROWS)
            asked = True
            why = f": {self.reason}" if self.reason else ""
            say(f"Stopping{why}. What is complete is being written. Once more to end at once.")
            raise Stop(self.reason or "stopped by a signal")

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        self._handled = True
        try:
            yield
        finally:
            self._handled = False
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When a run ends, even if work is left."""

    deadline: datetime | None = None
    gpu_hours: float | None = None

    def find_reached(self, now: datetime, gpu_s: float) -> str | None:
        """Return the bound that has been reached, or None."""
        if self.deadline is not None and now >= self.deadline:
            return f"the deadline {self.deadline:%H:%M} has come"
        if self.gpu_hours is not None and gpu_s >= 3600 * self.gpu_hours:
            return f"the budget of {self.gpu_hours:g} GPU hours is spent"
        return None


def next_time(clock: str, now: datetime) -> datetime:
    """Return the next moment after `now` at which a clock of its zone shows HH:MM. A `clock` in
    ISO 8601 is that moment itself."""
    if "T" in clock:
        return datetime.fromisoformat(clock)
    hour, minute = map(int, clock.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return moment if moment > now else moment + timedelta(days=1)
