"""The holder of a lease: one process of one machine, and whether it is alive."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The content of a lease: the process that holds it, its machine, and since when."""

    run_id: str
    host: str
    boot_id: str  # and process namespace: a pid is unique only within both
    pid: int
    process_started: float  # distinguishes a reused pid
    started_at: str
    renewed_at: str
    stale_s: float
    progress: dict[str, Any] | None = None  # of the run, as of the last renewal
    released: bool = False  # given up, where a store cannot remove the lease safely

    def __str__(self) -> str:
        return f"run {self.run_id} (process {self.pid} on {self.host}, since {self.started_at})"

    def is_dead(self) -> bool:
        """Return True if it gave up the lease, or ran on this machine and is no longer alive.

        Return False if that cannot be known from here.
        """
        if self.released:
            return True
        if (self.host, self.boot_id) != (socket.gethostname(), _read_boot_id()):
            return False
        if not psutil.pid_exists(self.pid):
            return True
        process = _read_process(self.pid)
        if process is None:
            return False
        return process.is_zombie or process.started != self.process_started

    def is_same_run(self, other: Holder | None) -> bool:
        """Return whether another version of the lease has the same holder."""
        if other is None:
            return False
        return replace(other, renewed_at=self.renewed_at, progress=self.progress) == self


class _Process(NamedTuple):
    started: float
    is_zombie: bool


def _read_process(pid: int) -> _Process | None:
    """Return a process, or None if it cannot be read.

    On Linux, its start is in ticks since boot, which do not change with the clock.
    """
    try:
        if Path("/proc/self/stat").exists():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return _Process(started=float(fields[19]), is_zombie=fields[0] == "Z")
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return _Process(started=process.create_time(), is_zombie=is_zombie)
    except (OSError, psutil.Error):
        return None


def _read_boot_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return str(int(psutil.boot_time()))


def elapsed_s() -> float:
    """Return seconds since some moment, including time asleep where the system counts it.

    A machine that was suspended did not renew its lease meanwhile, and may have lost it.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def current_time() -> str:
    """Return the time in UTC, as ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def describe_this_process(run_id: str, stale_s: float) -> Holder:
    """Return this process as the holder of a lease."""
    this_moment = current_time()
    process = _read_process(os.getpid())
    return Holder(
        run_id=run_id,
        host=socket.gethostname(),
        boot_id=_read_boot_id(),
        pid=os.getpid(),
        process_started=process.started if process else 0.0,
        started_at=this_moment,
        renewed_at=this_moment,
        stale_s=stale_s,
    )


def encode_holder(holder: Holder) -> bytes:
    """Return the content of a lease."""
    fields = asdict(holder)
    if not holder.released:
        del fields["released"]  # older versions of ah_ray do not know it
    return json.dumps(fields, indent=1).encode()


def decode_holder(data: bytes) -> Holder | None:
    """Return the holder in a lease; None if it is damaged or of another version."""
    try:
        fields = json.loads(data)
        holder = Holder(**fields)
        return replace(holder, pid=int(holder.pid), stale_s=float(holder.stale_s))
    except (ValueError, TypeError):
        return None
