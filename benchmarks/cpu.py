"""CPU time of a job's processes, by kind: what a busy machine does not change, unlike the rate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import psutil
from memory import DECODING, NAMES

RAY = "Ray itself"
DRIVER = "driver"


@dataclass(slots=True)
class CpuTimes:
    """CPU-seconds (user and system) of this process and all below it, since the first look."""

    _first: dict[tuple[int, float], float] = field(default_factory=dict)
    _last: dict[tuple[int, float], float] = field(default_factory=dict)
    _kinds: dict[tuple[int, float], str] = field(default_factory=dict)

    def look(self) -> None:
        is_first = not self._last
        own = psutil.Process()
        for process in [own, *own.children(recursive=True)]:
            try:
                key = (process.pid, process.create_time())
                kind = DRIVER if process == own else _kind_of(process)
                times = process.cpu_times()
            except psutil.Error:
                continue
            seconds = times.user + times.system
            if kind == DECODING:  # its children are forked for one recording, and waited for
                seconds += times.children_user + times.children_system
            self._kinds[key], self._last[key] = kind, seconds
            if is_first:
                self._first[key] = seconds

    def by_kind(self) -> Counter[str]:
        """Return CPU-seconds since the first look; a process that ended counts to its last look."""
        found: Counter[str] = Counter()
        for key, seconds in self._last.items():
            found[self._kinds[key]] += seconds - self._first.get(key, 0.0)
        return found


def _kind_of(process: psutil.Process) -> str:
    title = " ".join(process.cmdline())[:200]
    if "ah_ray.media.caged.server" in title:
        return DECODING
    if "multiprocessing" in title:
        return DECODING
    return next((name for name in NAMES if name in title), RAY)
