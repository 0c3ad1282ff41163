"""Private memory of a job's processes while it runs; resident memory counts the shared store."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

NAMES = ("Decoder", "Replica", "Reducer")
DECODING = "decoding process"  # the warm parent of each decoder, and its child


@dataclass(slots=True)
class Memory:
    """Samples over time: of each kind of process, the largest one's RssAnon + RssFile in bytes."""

    samples: list[dict[str, int]] = field(default_factory=list)

    def look(self) -> None:
        found = {"driver": _private_bytes(psutil.Process().pid)}
        for process in psutil.Process().children(recursive=True):
            try:
                title = " ".join(process.cmdline())[:200]
                is_decoding = "ah_ray.media.caged.server" in title
                name = next((n for n in NAMES if n in title), DECODING if is_decoding else "")
                if name:
                    found[name] = max(found.get(name, 0), _private_bytes(process.pid))
            except (OSError, psutil.Error):
                continue
        self.samples.append(found)

    def peaks(self) -> dict[str, int]:
        names = {name for sample in self.samples for name in sample if name != "driver"}
        return {name: max(sample.get(name, 0) for sample in self.samples) for name in names}

    def quarter(self, number: int, name: str) -> float:
        """Median bytes of a kind in the first, second, … quarter of the time."""
        size = len(self.samples) / 4
        part = self.samples[int((number - 1) * size) : int(number * size)]
        return statistics.median([sample[name] for sample in part if name in sample] or [0])


def _private_bytes(pid: int) -> int:
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line[1]) for line in lines if line[0] in ("RssAnon:", "RssFile:")) * 1024


@contextmanager
def watched(memory: Memory, every_s: float = 0.5) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            memory.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
