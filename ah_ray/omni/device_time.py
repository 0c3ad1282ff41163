"""How long a device works on a pass."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch


class DeviceTimer:
    """From its making to `stop`: by the GPU's own clock, which does not count what it waits for
    the CPU between passes. On a CPU, or where a pass crosses several GPUs, by the wall's."""

    def __init__(self, devices: Sequence[torch.device]):
        self._events: tuple[torch.cuda.Event, torch.cuda.Event] | None = None
        self._several = len(devices) > 1
        if len(devices) == 1 and devices[0].type == "cuda":
            self._stream = torch.cuda.current_stream(devices[0])
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self._events = first, last
            first.record(self._stream)
        self._began = time.perf_counter()
        self._stopped = self._began

    def stop(self) -> None:
        self._stopped = time.perf_counter()
        if self._events is not None:
            self._events[1].record(self._stream)

    def seconds(self) -> float:
        """To be asked once the pass is known to be over."""
        if self._events is not None:
            return self._events[0].elapsed_time(self._events[1]) / 1e3
        return (time.perf_counter() if self._several else self._stopped) - self._began
