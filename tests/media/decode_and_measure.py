"""A process of its own that decodes one video and prints the memory that it took, as JSON.

Run by test_memory.py: `python decode_and_measure.py VIDEO PROFILE`. `peak_mb` is the memory of this
process and of those that decode for it together (`tests/decoder_memory.py`), looked at many times a
second; `own_mb` is the private memory (RssAnon + RssFile) of this process alone.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).parents[1]))
from decoder_memory import decoder_bytes

from ah_ray.config import Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.profile import load_profile


def private_bytes(pid: int) -> int:
    """Return RssAnon + RssFile of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    rows = dict(line.split(":", 1) for line in status.splitlines())
    return sum(int(rows[name].split()[0]) for name in ("RssAnon", "RssFile")) * 1024


def main(video: str, profile: str) -> None:
    me, done, peak_bytes, own_bytes = psutil.Process(), threading.Event(), 0, 0

    def watch() -> None:
        nonlocal peak_bytes, own_bytes
        while not done.wait(0.02):
            own_bytes = max(own_bytes, private_bytes(me.pid))
            peak_bytes = max(peak_bytes, decoder_bytes(me))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for last in decode(
        Path(video), profile=load_profile(profile), windows=Windows(), limits=Limits()
    ):
        facts = last
    done.set()
    watcher.join()
    peaks = {"peak_mb": peak_bytes / 1e6, "own_mb": own_bytes / 1e6}
    print(json.dumps({**peaks, "n_clips": facts.n_clips, "error": facts.error}))


if __name__ == "__main__":
    main(*sys.argv[1:])
