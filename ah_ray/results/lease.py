"""One run per OUT: who holds OUT/lease.json, and is the holder alive?

The holder writes the lease anew every quarter of its stale time. A newcomer that finds one looks
whether its holder is a dead process of this very machine; if it cannot know, it watches for one
stale time whether the lease changes. No clock is compared with another machine's. All writes are
conditional, so of several newcomers one wins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ah_ray import storage
from ah_ray.errors import ObjectMissing, OutputBusy, PreconditionFailed, StorageError
from ah_ray.results.holder import Holder, decoded, encoded, now, ourselves

STALE_S = 60.0
_LONGEST_STALE_S = 600.0  # a damaged lease must not block its OUT for long
_LOOKS = 20  # during one stale time of another's lease …
_LONGEST_LOOK_S = 1.0  # … or more: a holder on this machine may be dead by the next
_RENEWALS = 4  # during one stale time of ours


def lease_uri(out: str) -> str:
    return storage.join(out, "lease.json")


def read_holder(out: str) -> Holder | None:
    """Who holds this output, dead or alive; None if nobody does. For `jobs/status.py`."""
    try:
        return decoded(storage.read_bytes(lease_uri(out)))
    except ObjectMissing:
        return None


@dataclass(slots=True, kw_only=True)
class Lease:
    """The right to write to one OUT. A context manager; use `Lease.acquire`.

    `lost` is set when another run has taken it, when it is gone, or when it could not be renewed
    for so long that another may have taken it: the run must then stop writing. `check` says which.
    """

    out: str
    holder: Holder
    report: Callable[[], dict[str, Any]] | None = None  # asked at each renewal: how far it is
    lost: threading.Event = field(default_factory=threading.Event)
    _loss: OutputBusy | StorageError | None = None
    _etag: str
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def acquire(
        cls,
        out: str,
        run_id: str,
        stale_s: float = STALE_S,
        say: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Takes the lease, waiting up to the holder's stale time if it may be dead.

        `say` is told before it waits. Raises OutputBusy, naming the holder, as soon as that is
        seen to be alive.
        """
        holder = ourselves(run_id, stale_s)
        lease = cls(out=out, holder=holder, _etag=_take(lease_uri(out), encoded(holder), say))
        lease._thread = threading.Thread(target=lease._renew, name="lease", daemon=True)
        lease._thread.start()
        return lease

    def check(self) -> None:
        """Raises OutputBusy if another run has taken it, StorageError if it was lost otherwise."""
        if self.lost.is_set():
            raise self._loss

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
            progress = self.report() if self.report else None
            self.holder = replace(self.holder, renewed_at=now(), progress=progress)
            try:
                with storage.patience(self._hasty):
                    self._write()
                renewed = began
            except (OutputBusy, ObjectMissing) as loss:
                self._lose(loss)
                return
            except StorageError as error:
                if time.monotonic() - renewed + every_s > self.holder.stale_s:
                    silent = "could not be renewed for so long that another run may have taken it"
                    self._lose(StorageError(f"{lease_uri(self.out)} {silent}: {error}"))
                    return

    def _write(self) -> None:
        """Raises OutputBusy if another has it, ObjectMissing if nobody has."""
        uri = lease_uri(self.out)
        try:
            self._etag = storage.replace_if(uri, encoded(self.holder), self._etag)
            return
        except (PreconditionFailed, ObjectMissing):
            pass  # or it was us after all: a renewal whose answer never came
        try:
            data, etag = storage.read_versioned(uri)
        except ObjectMissing:
            raise ObjectMissing(f"{uri} is gone: it was removed, or all of {self.out}") from None
        holder = decoded(data)
        if not self.holder.is_same_run(holder):
            raise OutputBusy(f"{_who(holder)} has taken {uri}; this one stops")
        self._etag = etag

    def _lose(self, loss: OutputBusy | StorageError) -> None:
        self._loss = loss
        self.lost.set()

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


def _take(uri: str, ours: bytes, say: Callable[[str], None]) -> str:
    """Writes `ours` once nobody alive holds the lease; returns its etag."""
    watched: str | None = None  # the etag of the lease that is watched, since when
    since, told = 0.0, False
    while True:
        with suppress(PreconditionFailed, ObjectMissing):
            return storage.create_exclusive(uri, ours)
        try:
            data, etag = storage.read_versioned(uri)
        except ObjectMissing:
            continue
        holder = decoded(data)
        if watched is None:
            watched, since = etag, time.monotonic()
        elif etag != watched and not (holder and holder.is_dead()):
            raise OutputBusy(_busy(uri, holder))
        stale_s = min(holder.stale_s, _LONGEST_STALE_S) if holder else STALE_S
        if not told and not (holder and holder.is_dead()):
            say(f"{_who(holder)} holds {uri}; watching for up to {stale_s:.0f} s if it is alive")
            told = True
        if (holder and holder.is_dead()) or time.monotonic() - since >= stale_s:
            with suppress(PreconditionFailed, ObjectMissing):
                return storage.replace_if(uri, ours, etag)
            continue
        time.sleep(min(stale_s / _LOOKS, _LONGEST_LOOK_S))


def _busy(uri: str, holder: Holder | None) -> str:
    return f"{_who(holder)} holds {uri}; wait until it ends, or give another --out"


def _who(holder: Holder | None) -> str:
    return str(holder) if holder else "another run"
