"""A thread of the driver that counts machines, publishes metrics and keeps the run's bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from ah_ray.pipeline import capacity
from ah_ray.pipeline.reporting.metrics import Metrics
from ah_ray.pipeline.reporting.tally import STARTING, WAITING, Tally
from ah_ray.pipeline.stopping import Bounds, Stopper

LOOK_EVERY_S = 5.0


class Machines(NamedTuple):
    """What works for the run at this moment."""

    n_replicas: int
    n_gpus: int


class Monitor:
    """Keeps a tally up to date with the cluster and publishes it, while it is entered."""

    def __init__(
        self,
        tally: Tally,
        metrics: Metrics,
        look: Callable[[], Machines],
        *,
        needed_gpus: int,
        bounds: Bounds,
        stopper: Stopper,
    ):
        self._tally = tally
        self._metrics = metrics
        self._look = look
        self._needed_gpus = needed_gpus
        self._bounds = bounds
        self._stopper = stopper
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> Monitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=2 * LOOK_EVERY_S)
        self._metrics.withdraw()

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(LOOK_EVERY_S)
            with suppress(Exception):  # a cluster that does not answer is found out elsewhere
                now = self._look()
                self._tally.note_machines(
                    time.monotonic(), n_replicas=now.n_replicas, n_gpus=now.n_gpus
                )
                self._update_stage(now.n_gpus)
                self._metrics.publish(self._tally)
            reason = self._bounds.find_reached(datetime.now().astimezone(), self._tally.gpu_s)
            if reason and not over:
                self._stopper.ask(reason)

    def _update_stage(self, n_gpus: int) -> None:
        waits = self._tally.stage in (STARTING, WAITING)
        if waits:
            self._tally.stage = WAITING if n_gpus < self._needed_gpus else STARTING


def count_machines(gpus_per_replica: int, most_replicas: int) -> Machines:
    """Return the replicas and GPUs of the connected Ray. On CPUs all replicas count."""
    n_gpus = capacity.gpus()
    if not gpus_per_replica:
        return Machines(n_replicas=most_replicas, n_gpus=n_gpus)
    taken = n_gpus - capacity.free_gpus()
    return Machines(n_replicas=min(most_replicas, round(taken / gpus_per_replica)), n_gpus=n_gpus)
