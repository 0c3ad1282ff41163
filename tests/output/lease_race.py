"""Several runs that ask for the lease of one output at the same moment."""

from __future__ import annotations

import threading

from ah_ray.errors import OutputBusy
from ah_ray.output.lease import Lease


def acquire_together(out: str, n: int, *, stale_s: float) -> tuple[list[Lease], list[int]]:
    """Return the leases that were taken, and the numbers of the runs that found OUT busy."""
    barrier = threading.Barrier(n)
    won: list[Lease] = []
    busy: list[int] = []

    def acquire(number: int) -> None:
        barrier.wait()
        try:
            won.append(Lease.acquire(out, f"run-{number}", stale_s=stale_s))
        except OutputBusy:
            busy.append(number)

    threads = [threading.Thread(target=acquire, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, busy
