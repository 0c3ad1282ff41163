"""Ctrl-C and SIGTERM: the first asks for a clean stop, the second insists."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ah_ray.exit_status import ExitStatus


@contextmanager
def stoppable(say: Callable[[str], None]) -> Iterator[None]:
    """Within it, the first SIGINT or SIGTERM raises KeyboardInterrupt in the main thread.

    What is complete is then still written. A second signal ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # as a library, in a thread: the application handles signals
        return
    asked = False

    def stop(number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            os._exit(ExitStatus.MISSING_ROWS)
        asked = True
        say("Stopping: what is complete is being written. Once more to end at once.")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
