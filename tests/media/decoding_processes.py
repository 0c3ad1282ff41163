"""The processes that decode for a test: the warm parent, its children, what they hold."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from ah_ray.media import decode_process

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from ah_ray.media.caged.server import main; from lying_child import lie; "
    "main(int(sys.argv[1]), lie)"
)


def warm_parent() -> psutil.Process:
    """Return the warm parent of this process, started if there is none."""
    return psutil.Process(decode_process._server()._process.pid)


def children() -> list[psutil.Process]:
    """Return the children that decode at this moment."""
    return [one for one in warm_parent().children() if one.status() != psutil.STATUS_ZOMBIE]


def wait_until(is_true: Callable[[], object], *, seconds: float = 10.0) -> bool:
    """Return whether something became true in time."""
    until = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def descriptors(process: int | str = "self") -> list[str]:
    """Return what a process has open, by number."""
    return sorted(entry.name for entry in Path(f"/proc/{process}/fd").iterdir())


def end_warm_parent() -> None:
    """End the warm parent, so that the next recording starts another."""
    server = decode_process._servers.pop(os.getpid(), None)
    if server is not None:
        server.close()


def start_lying_parent(monkeypatch) -> None:
    """Have the next warm parent's children tell the lies that recordings name."""
    end_warm_parent()
    monkeypatch.setattr(decode_process, "_START", _START)
