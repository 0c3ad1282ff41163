"""Measure how long a device works on a pass."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch


class DeviceTimer:
    """Measure the time from its construction to `stop`.

    On a GPU the time begins when the device has done all that was asked of it before. On one GPU
    the GPU's own clock counts, which leaves out the time that the GPU waits for the CPU between
    passes. On a CPU, or where a pass uses several GPUs, wall time counts.
    """

    def __init__(self, devices: Sequence[torch.device]):
        self._events: tuple[torch.cuda.Event, torch.cuda.Event] | None = None
        self._several = len(devices) > 1
        if devices[0].type == "cuda":
            self._stream = torch.cuda.current_stream(devices[0])
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record(self._stream)
            if self._several:
                first.synchronize()  # until then the GPU could not begin in any case
            else:
                self._events = first, last
        self._began = time.perf_counter()
        self._stopped = self._began

    def stop(self) -> None:
        """End the measured time."""
        self._stopped = time.perf_counter()
        if self._events is not None:
            self._events[1].record(self._stream)

    def elapsed_s(self) -> float:
        """Return the measured seconds. Call it only after the pass is known to be over."""
        if self._events is not None:
            milliseconds: float = self._events[0].elapsed_time(self._events[1])
            return milliseconds / 1e3
        return (time.perf_counter() if self._several else self._stopped) - self._began
