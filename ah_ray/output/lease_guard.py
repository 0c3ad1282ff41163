"""Checks, in the processes that write rows, whether their run still holds its OUT.

They do not hold the lease themselves, and the driver that does may be stopped, killed or cut off
while they work on. So the lease itself is read before a row is written, unless it was read within
the last second. A run that takes a lease over waits for that second (lease.py) before it writes or
removes anything. Only this process's own clock is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray import storage
from ah_ray.errors import LeaseLost, ObjectMissing
from ah_ray.output.lease import BELIEVED_S, Lease, lease_uri
from ah_ray.output.lease_holder import decode_holder, elapsed_s


@dataclass(slots=True, kw_only=True)
class LeaseGuard:
    """Of the lease that the run `run_id` took on OUT. Goes to other processes as it is."""

    out: str
    run_id: str
    removes_on_condition: bool = True  # the store honours a condition on a removal
    _read_s: float | None = None  # when the lease was last seen to be this run's

    def check(self) -> None:
        """Raise LeaseLost if another run may be writing to OUT by now, StorageError if it cannot
        be read whose lease it is."""
        if self._read_s is None or elapsed_s() - self._read_s >= BELIEVED_S:
            self.confirm()

    def confirm(self) -> None:
        """Read the lease now, and raise as `check` does."""
        began_s = elapsed_s()
        uri = lease_uri(self.out)
        try:
            holder = decode_holder(storage.read_bytes(uri))
        except ObjectMissing:
            holder = None
        if holder is None or holder.run_id != self.run_id or holder.released:
            self._read_s = None
            raise LeaseLost(f"{uri} is no longer this run's: it writes nothing more")
        self._read_s = began_s


def make_guard(lease: Lease) -> LeaseGuard | None:
    """Return the guard for processes that write under this lease; None with --no-lease."""
    if not lease.is_exclusive:
        return None
    return LeaseGuard(
        out=lease.out,
        run_id=lease.holder.run_id,
        removes_on_condition=lease.removes_on_condition,
    )
