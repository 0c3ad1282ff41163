"""One run per OUT: who holds OUT/lease.json, and is the holder alive?

The holder writes the lease anew every quarter of its stale time. A newcomer that finds one looks
whether its holder is a dead process of this very machine; if it cannot know, it watches for one
stale time whether the lease changes. No clock is compared with another machine's. All writes are
conditional, so of several newcomers one wins.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from ah_ray import storage
from ah_ray.errors import ObjectMissing, OutputBusy, PreconditionFailed, StorageError

STALE_S = 60.0
_LONGEST_STALE_S = 600.0  # a damaged lease must not block its OUT for long
_LOOKS = 20  # during one stale time of another's lease …
_LONGEST_LOOK_S = 1.0  # … or more: a holder on this machine may be dead by the next
_RENEWALS = 4  # during one stale time of ours


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
        return other is not None and replace(other, renewed_at=self.renewed_at) == self


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _ourselves(run_id: str, stale_s: float) -> Holder:
    now = _now()
    process = _process(os.getpid())
    return Holder(
        run_id=run_id,
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=os.getpid(),
        process_started=process.started if process else 0.0,
        started_at=now,
        renewed_at=now,
        stale_s=stale_s,
    )


def _encoded(holder: Holder) -> bytes:
    return json.dumps(asdict(holder), indent=1).encode()


def _decoded(data: bytes) -> Holder | None:
    """None if it is no lease: damaged, or of another version."""
    try:
        fields = json.loads(data)
        holder = Holder(**fields)
        return replace(holder, pid=int(holder.pid), stale_s=float(holder.stale_s))
    except (ValueError, TypeError):
        return None


def lease_uri(out: str) -> str:
    return storage.join(out, "lease.json")


def read_holder(out: str) -> Holder | None:
    """Who holds this output, dead or alive; None if nobody does. For `jobs/status.py`."""
    try:
        return _decoded(storage.read_bytes(lease_uri(out)))
    except ObjectMissing:
        return None


@dataclass(slots=True, kw_only=True)
class Lease:
    """The right to write to one OUT. A context manager; use `Lease.acquire`.

    `lost` is set when another run has taken it, or when it could not be renewed for so long that
    another may have: the run must then stop writing.
    """

    out: str
    holder: Holder
    lost: threading.Event = field(default_factory=threading.Event)
    _etag: str
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def acquire(cls, out: str, run_id: str, stale_s: float = STALE_S) -> Self:
        """Takes the lease, waiting up to the holder's stale time if it may be dead.

        Raises OutputBusy, naming the holder, as soon as that is seen to be alive.
        """
        holder = _ourselves(run_id, stale_s)
        lease = cls(out=out, holder=holder, _etag=_take(lease_uri(out), _encoded(holder)))
        lease._thread = threading.Thread(target=lease._renew, name="lease", daemon=True)
        lease._thread.start()
        return lease

    @property
    def _renewal_s(self) -> float:
        return self.holder.stale_s / _RENEWALS

    @property
    def _hasty(self) -> storage.Patience:
        """Nothing that is done to the lease may take longer than from one renewal to the next."""
        limit_s = self._renewal_s
        return storage.Patience(attempts=3, budget_s=limit_s, call_timeout_s=limit_s)

    def _renew(self) -> None:
        every_s = self._renewal_s
        renewed = time.monotonic()
        while not self._stop.wait(every_s):
            began = time.monotonic()
            self.holder = replace(self.holder, renewed_at=_now())
            try:
                with storage.patience(self._hasty):
                    self._etag = storage.replace_if(
                        lease_uri(self.out), _encoded(self.holder), self._etag
                    )
                renewed = began
            except (PreconditionFailed, ObjectMissing):
                if not self._found_again():
                    self.lost.set()
                    return
                renewed = began
            except StorageError:
                if time.monotonic() - renewed + every_s > self.holder.stale_s:
                    self.lost.set()
                    return

    def _found_again(self) -> bool:
        """True if the last writer was us after all: a renewal whose answer never came."""
        try:
            data, etag = storage.read_versioned(lease_uri(self.out))
        except StorageError:
            return False
        if self.holder.is_same_run(_decoded(data)):
            self._etag = etag
            return True
        return False

    def release(self) -> None:
        """Gives it up. The lease of another, if it was taken from us, stays."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        if not self.lost.is_set():
            with suppress(StorageError), storage.patience(self._hasty):  # else it goes stale
                storage.remove_if(lease_uri(self.out), self._etag)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.release()


def _take(uri: str, ours: bytes) -> str:
    """Writes `ours` once nobody alive holds the lease; returns its etag."""
    watched: str | None = None  # the etag of the lease that is watched, since when
    since = 0.0
    while True:
        with suppress(PreconditionFailed, ObjectMissing):
            return storage.create_exclusive(uri, ours)
        try:
            data, etag = storage.read_versioned(uri)
        except ObjectMissing:
            continue
        holder = _decoded(data)
        if watched is None:
            watched, since = etag, time.monotonic()
        elif etag != watched and not (holder and holder.is_dead()):
            raise OutputBusy(_busy(uri, holder))
        stale_s = min(holder.stale_s, _LONGEST_STALE_S) if holder else STALE_S
        if (holder and holder.is_dead()) or time.monotonic() - since >= stale_s:
            with suppress(PreconditionFailed, ObjectMissing):
                return storage.replace_if(uri, ours, etag)
            continue
        time.sleep(min(stale_s / _LOOKS, _LONGEST_LOOK_S))


def _busy(uri: str, holder: Holder | None) -> str:
    who = str(holder) if holder else "another run"
    return f"{who} holds {uri}; wait until it ends, or give another --out"
