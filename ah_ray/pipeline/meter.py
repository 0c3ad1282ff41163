"""A thread of the driver that looks at the run: counts, publishes, minds its bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import ray

from ah_ray.pipeline import capacity
from ah_ray.pipeline.metrics import Metrics
from ah_ray.pipeline.stopping import Bounds, Stopper
from ah_ray.pipeline.tally import STARTING, WAITING, Tally

LOOK_EVERY_S = 5.0


class Machines(NamedTuple):
    """What works for the run at this moment."""

    n_replicas: int
    n_gpus: int


class Meter:
    """While it is entered, the tally is kept up to date with the cluster, and published."""

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
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Meter:
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
                self._tally.look(time.monotonic(), n_replicas=now.n_replicas, n_gpus=now.n_gpus)
                self._say_if_waiting(now.n_gpus)
                self._metrics.publish(self._tally)
            reason = self._bounds.met(datetime.now().astimezone(), self._tally.gpu_s)
            if reason and not over:
                self._stopper.ask(reason)

    def _say_if_waiting(self, n_gpus: int) -> None:
        waits = self._tally.stage in (STARTING, WAITING)
        if waits:
            self._tally.stage = WAITING if n_gpus < self._needed_gpus else STARTING


def machines(gpus_per_replica: int, most_replicas: int) -> Machines:
    """Of a connected Ray. Without GPUs there are as many replicas as there may be."""
    n_gpus = capacity.gpus()
    if not gpus_per_replica:
        return Machines(n_replicas=most_replicas, n_gpus=n_gpus)
    taken = n_gpus - ray.available_resources().get("GPU", 0.0)
    return Machines(n_replicas=min(most_replicas, round(taken / gpus_per_replica)), n_gpus=n_gpus)
