"""Who holds a lease: a process of a machine, told apart from all others; is it alive?"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The content of a lease: which process of which machine holds it, since when."""

    run_id: str
    host: str
    boot_id: str  # with the process namespace: pids mean the same only within both
    pid: int
    process_started: float  # tells a reused pid apart
    started_at: str
    renewed_at: str
    stale_s: float
    progress: dict[str, Any] | None = None  # of the run, as of the last renewal

    def __str__(self) -> str:
        return f"run {self.run_id} (process {self.pid} on {self.host}, since {self.started_at})"

    def is_dead(self) -> bool:
        """True only if it ran on this machine, in our process namespace, and is gone."""
        if (self.host, self.boot_id) != (socket.gethostname(), _boot_id()):
            return False
        if not psutil.pid_exists(self.pid):
            return True
        now = _process(self.pid)
        return now is not None and (now.is_zombie or now.started != self.process_started)

    def is_same_run(self, other: Holder | None) -> bool:
        now = {"renewed_at": self.renewed_at, "progress": self.progress}
        return other is not None and replace(other, **now) == self


class _Process(NamedTuple):
    started: float
    is_zombie: bool


def _process(pid: int) -> _Process | None:
    """None if it cannot be told. On Linux in ticks since boot, which no change of clock moves."""
    try:
        if Path("/proc/self/stat").exists():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return _Process(started=float(fields[19]), is_zombie=fields[0] == "Z")
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return _Process(started=process.create_time(), is_zombie=is_zombie)
    except (OSError, psutil.Error):
        return None


def _boot_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return str(int(psutil.boot_time()))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def ourselves(run_id: str, stale_s: float) -> Holder:
    this_moment = now()
    process = _process(os.getpid())
    return Holder(
        run_id=run_id,
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=os.getpid(),
        process_started=process.started if process else 0.0,
        started_at=this_moment,
        renewed_at=this_moment,
        stale_s=stale_s,
    )


def encoded(holder: Holder) -> bytes:
    return json.dumps(asdict(holder), indent=1).encode()


def decoded(data: bytes) -> Holder | None:
    """None if it is no lease: damaged, or of another version."""
    try:
        fields = json.loads(data)
        holder = Holder(**fields)
        return replace(holder, pid=int(holder.pid), stale_s=float(holder.stale_s))
    except (ValueError, TypeError):
        return None
