"""One run per OUT: the lease OUT/lease.json, and whether its holder is alive.

The holder renews the lease every quarter of its stale time. A new run that finds a lease checks
whether the holder is a dead process of the same machine. If it cannot know, it watches for one
stale time whether the lease changes. Clocks of different machines are never compared. All writes
are conditional, so one of several new runs wins, and a holder that was stalled for longer than its
stale time learns from its next write that it has lost the lease. Before each step that writes or
removes, a run calls `confirm`, which makes such a write immediately. Its other processes read the
lease instead (lease_guard.py) and rely on it for one second, so a new run waits that long.
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
from ah_ray.interfaces.callbacks import MessageCallback, ignore_message
from ah_ray.output.lease_holder import (
    Holder,
    current_time,
    decode_holder,
    describe_this_process,
    elapsed_s,
    encode_holder,
)

STALE_S = 60.0
BELIEVED_S = 1.0
"""For how long a process that writes rows believes what it has read of the lease."""

_LONGEST_STALE_S = 600.0  # a damaged lease must not block its OUT for long
_LOOKS = 20  # during one stale time of another run's lease …
_LONGEST_LOOK_S = 1.0  # … or more often, to notice soon that a holder on this machine died
_RENEWALS = 4  # during one stale time of ours
_MOST_REFUSALS = 3  # of a replacement, while the lease does not change
_LAST_CALL = storage.Patience(attempts=3, budget_s=4.0, call_timeout_s=4.0)
_GRACE_S = 30.0  # beyond the stale time, for new runs that compete


def lease_uri(out: str) -> str:
    """Return the URI of OUT's lease."""
    return storage.join(out, "lease.json")


def read_holder(out: str) -> Holder | None:
    """Return the holder of this output, dead or alive; None if there is none. For status.py."""
    try:
        holder = decode_holder(storage.read_bytes(lease_uri(out)))
    except ObjectMissing:
        return None
    return None if holder is not None and holder.released else holder


@dataclass(slots=True, kw_only=True)
class Lease:
    """The right to write to one OUT. A context manager; use `Lease.acquire`.

    `lost` is set when another run has taken the lease, when it was removed, or when it could not be
    renewed for so long that another run may have taken it. The run must then stop writing. `check`
    raises the reason.
    """

    out: str
    holder: Holder
    report: Callable[[], dict[str, Any]] | None = (
        None  # returns the run's progress, at each renewal
    )
    lost: threading.Event = field(default_factory=threading.Event)
    is_exclusive: bool = True  # False with --no-lease: nothing is written, nobody is kept out
    removes_on_condition: bool = True  # the store honours a condition on a removal
    _loss: OutputBusy | StorageError | None = None
    _etag: str = ""
    _renewed_s: float = field(default_factory=elapsed_s)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def acquire(
        cls,
        out: str,
        run_id: str,
        stale_s: float | None = None,
        say: MessageCallback = ignore_message,
    ) -> Self:
        """Take the lease. Wait up to the holder's stale time if the holder may be dead.

        `say` receives a sentence before the wait. Raise OutputBusy with the holder's name as soon
        as the holder proves to be alive, ConfigError if OUT's store does not keep two writers
        apart, and StorageError if the lease cannot be taken although nobody alive holds it.
        """
        conditional = storage.check_conditions(out)
        holder = describe_this_process(run_id, STALE_S if stale_s is None else stale_s)
        began_s = elapsed_s()
        etag, is_taken_over = _take_lease(lease_uri(out), holder, say)
        lease = cls(
            out=out,
            holder=holder,
            removes_on_condition=conditional,
            _etag=etag,
            _renewed_s=began_s,
        )
        lease._thread = threading.Thread(target=lease._renew, name="lease", daemon=True)
        lease._thread.start()
        if is_taken_over:
            time.sleep(BELIEVED_S)  # until no process of the run before believes that it is theirs
        lease.confirm()  # it may have taken long to learn that it was written
        return lease

    @classmethod
    def without(cls, out: str, run_id: str) -> Self:
        """Return a lease that keeps nobody out, for `--no-lease`: the user does that."""
        return cls(out=out, holder=describe_this_process(run_id, STALE_S), is_exclusive=False)

    def check(self) -> None:
        """Raise OutputBusy if another run has taken it, StorageError if it was lost otherwise."""
        if self.lost.is_set():
            with self._turn:  # which may still be finding out who has taken it
                loss = self._loss
            if loss is not None:
                raise loss

    def confirm(self) -> None:
        """Renew the lease now. Raise the errors of `check` if it is no longer ours.

        Call this before every step that writes or removes: a process that was stopped for minutes
        learns here, before it does harm, that another run has taken over.
        """
        if self.is_exclusive:
            self._renew_once()
        self.check()

    @property
    def _renewal_s(self) -> float:
        return self.holder.stale_s / _RENEWALS

    @property
    def _hasty(self) -> storage.Patience:
        """Return a patience that ends before the next renewal."""
        limit_s = self._renewal_s
        return storage.Patience(attempts=3, budget_s=limit_s, call_timeout_s=limit_s)

    def _renew(self) -> None:
        while not self._stop.wait(self._renewal_s) and not self.lost.is_set():
            try:
                self._renew_once()
            except Exception as error:  # without this thread, nobody would notice a loss
                with self._turn:
                    self._lose(
                        StorageError(f"{lease_uri(self.out)} could not be renewed: {error!r}")
                    )

    def _renew_once(self) -> None:
        """Renew the lease. Set `lost` if it was taken, removed, or is too old."""
        with self._turn:
            if self.lost.is_set():
                return
            began_s = elapsed_s()
            progress = self.report() if self.report else None
            self.holder = replace(self.holder, renewed_at=current_time(), progress=progress)
            try:
                with storage.patience(self._hasty):
                    self._write()
                self._renewed_s = began_s
            except (OutputBusy, ObjectMissing) as loss:
                self._lose(loss)
            except StorageError as error:
                if elapsed_s() - self._renewed_s + self._renewal_s > self.holder.stale_s:
                    self._lose(self._explain_silence(error))  # first: others may write already
                    self._loss = self._find_successor() or self._loss

    def _find_successor(self) -> OutputBusy | None:
        """Return the error that names the run that has taken the lease; None if that is not known.

        A renewal whose response came too late, as in a process that was stopped, does not tell.
        """
        with suppress(StorageError), storage.patience(_LAST_CALL):
            holder = decode_holder(storage.read_bytes(lease_uri(self.out)))
            if not self.holder.is_same_run(holder):
                return self._describe_loss(holder)
        return None

    def _describe_loss(self, holder: Holder | None) -> OutputBusy:
        taken = f"{_describe_holder(holder)} has taken {lease_uri(self.out)}"
        return OutputBusy(f"{taken}; this one stops")

    def _explain_silence(self, error: StorageError) -> StorageError:
        silent = "could not be renewed for so long that another run may have taken it"
        return StorageError(f"{lease_uri(self.out)} {silent}: {error}")

    def _write(self) -> None:
        """Write the lease. Raise OutputBusy if another run has it, ObjectMissing if it was removed,
        and another StorageError if it could not be written.
        """
        uri = lease_uri(self.out)
        for _ in range(2):
            try:
                self._etag = storage.replace_if(uri, encode_holder(self.holder), self._etag)
                return
            except (PreconditionFailed, ObjectMissing):
                pass  # perhaps by an earlier renewal of ours, whose response was lost
            try:
                data, self._etag = storage.read_versioned(uri)
            except ObjectMissing:
                gone = f"{uri} is gone: it was removed, or all of {self.out}"
                raise ObjectMissing(gone) from None
            holder = decode_holder(data)
            if not self.holder.is_same_run(holder):
                raise self._describe_loss(holder)
        raise PreconditionFailed(f"{uri} is ours, but its store refuses to replace it")

    def _lose(self, loss: OutputBusy | StorageError) -> None:
        self._loss = loss
        self.lost.set()

    def release(self) -> None:
        """Give the lease up. If another run has taken it, its lease stays."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self.is_exclusive and not self.lost.is_set():
            with suppress(StorageError), storage.patience(_LAST_CALL):  # otherwise it becomes stale
                uri = lease_uri(self.out)
                if self.removes_on_condition:
                    storage.remove_if(uri, self._etag)
                else:
                    storage.replace_if(
                        uri, encode_holder(replace(self.holder, released=True)), self._etag
                    )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _take_lease(uri: str, holder: Holder, say: MessageCallback) -> tuple[str, bool]:
    """Write our lease once nobody alive holds it.

    Return its etag, and whether a holder that had not given it up was replaced.
    """
    ours = encode_holder(holder)
    began_s = time.monotonic()
    watched: str | None = None  # the etag of the lease that is watched, since `since_s`
    since_s, announced, refused = 0.0, False, 0
    stale_s = pause_s = 0.0
    while True:
        if time.monotonic() - began_s > stale_s + _GRACE_S + _LONGEST_LOOK_S:
            raise StorageError(
                f"{uri} could not be taken within {time.monotonic() - began_s:.0f} s, though "
                "nobody alive holds it: its store answers too late, or its answers contradict "
                "each other"
            )
        time.sleep(pause_s)
        pause_s = min(max(stale_s, 1.0) / _LOOKS, _LONGEST_LOOK_S)
        with suppress(PreconditionFailed, ObjectMissing):
            return storage.create_exclusive(uri, ours), False
        try:
            data, etag = storage.read_versioned(uri)
        except ObjectMissing:
            continue  # the holder has just given it up
        found = decode_holder(data)
        is_dead = found is not None and found.is_dead()
        if watched is None:
            watched, since_s = etag, time.monotonic()
        elif etag != watched:
            if not is_dead:
                raise OutputBusy(_busy_message(uri, found))
            watched, refused = etag, 0
        stale_s = min(found.stale_s, _LONGEST_STALE_S) if found else STALE_S
        if not announced and not is_dead:
            say(
                f"{_describe_holder(found)} holds {uri}; watching for up to {stale_s:.0f} s "
                "if it is alive"
            )
            announced = True
        if is_dead or time.monotonic() - since_s >= stale_s:
            with suppress(PreconditionFailed, ObjectMissing):
                return storage.replace_if(uri, ours, etag), not (found and found.released)
            refused += 1
            if refused >= _MOST_REFUSALS:
                raise StorageError(
                    f"{uri} is left over from {_describe_holder(found)}, and its store refuses to "
                    "replace it although it has not changed: remove it by hand, and report "
                    "this store"
                )


def _busy_message(uri: str, holder: Holder | None) -> str:
    return f"{_describe_holder(holder)} holds {uri}; wait until it ends, or choose another folder"


def _describe_holder(holder: Holder | None) -> str:
    return str(holder) if holder else "another run"
