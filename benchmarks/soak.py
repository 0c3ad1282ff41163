"""Does anything grow? Many short videos through the whole job, or clips that nobody takes away.

    python benchmarks/soak.py --videos 10000                 memory by quarters of the time
    python benchmarks/soak.py --videos 40 --large --slow     decoders far faster than the replica
    python benchmarks/soak.py --videos 40 --large --free     a replica far faster than the decoders

Prints private memory by kind of process, the most that the object store held, and what it spilled
to disk, which is nothing in the steady state.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import ray
from decode import make_case
from memory import Memory, watched
from pipeline import FreeReplica
from ray._private.internal_api import get_memory_info_reply
from rich.console import Console

from ah_ray.config import score_settings
from ah_ray.media.ffmpeg.synthetic import Scene, write_video
from ah_ray.pipeline import graph
from ah_ray.pipeline.run import score
from ah_ray.profile import load_profile

STORE_BYTES = 300 * 1024**2
SLOW_S = 0.4  # for a clip


class SlowReplica(FreeReplica):
    """A scorer that the decoders are always ahead of."""

    def __call__(self, frames: pa.Table) -> pa.Table:
        time.sleep(SLOW_S * frames["event"].to_pylist().count("clip"))
        return super().__call__(frames)


@dataclass(slots=True)
class Store:
    """What the object store held at most, and spilled in all, in bytes."""

    peak: int = 0
    spilled: int = 0

    def look(self) -> None:
        stats = get_memory_info_reply(ray._private.state.state).store_stats
        self.peak = max(self.peak, stats.object_store_bytes_used)
        self.spilled = stats.spilled_bytes_total


@contextmanager
def looked_at(store: Store) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            store.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        store.look()


def short_videos(folder: Path, n_videos: int) -> Path:
    """One face of a second under many names."""
    first = folder / "first.mp4"
    write_video(first, [Scene(smiling=True, rising=False, seconds=1.0)], size_px=64)
    cohort = folder / "cohort"
    cohort.mkdir()
    for n in range(n_videos):
        (cohort / f"{n:06}.mp4").symlink_to(first)
    return cohort


def large_videos(folder: Path, n_videos: int) -> Path:
    """20 s of 720p under many names: clips of 6 MB."""
    first = make_case(folder, 20, load_profile("seed-448")).path
    cohort = folder / "cohort"
    cohort.mkdir()
    for n in range(n_videos):
        (cohort / f"{n:04}.mp4").symlink_to(first)
    return cohort


def soak(cohort: Path, out: Path, replica: type | None, profile: str) -> tuple[Memory, Store, int]:
    """The whole job over a cohort, watched."""
    memory, store = Memory(), Store()
    settings = score_settings(
        videos=str(cohort), out=str(out), model="tiny", profile=profile, decoders=2
    )
    if replica is not None:
        graph.Replica = replica
    with watched(memory, every_s=2.0), looked_at(store):
        outcome = score(settings, Console(stderr=True))
    assert int(outcome.summary.exit_status) == 0, outcome.summary
    return memory, store, outcome.summary.clips_scored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--large", action="store_true", help="20 s of 720p, not 1 s of 64 px")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--slow", action="store_const", const=SlowReplica, dest="replica",
                      help=f"in place of the tiny model: {SLOW_S:g} s a clip")  # fmt: skip
    kind.add_argument("--free", action="store_const", const=FreeReplica, dest="replica",
                      help="in place of the tiny model: no time")  # fmt: skip
    arguments = parser.parse_args()
    ray.init(
        "local",
        num_cpus=4,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path[:1])}},
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        make = large_videos if arguments.large else short_videos
        cohort = make(Path(name), arguments.videos)
        profile = "seed-448" if arguments.large else "tiny"
        memory, store, n_clips = soak(cohort, Path(name) / "out", arguments.replica, profile)
    print(f"{arguments.videos:,} videos, {n_clips:,} clips, {time.monotonic() - began:.0f} s; "
          f"object store of {STORE_BYTES / 1e6:.0f} MB: at most {store.peak / 1e6:.0f} MB used, "
          f"{store.spilled / 1e6:.0f} MB spilled\n")  # fmt: skip
    print("| process | second quarter, MB | last quarter, MB | last / second | peak, MB |")
    print("| --- | ---: | ---: | ---: | ---: |")
    ratios = {}
    for process in ("driver", *sorted(memory.peaks())):
        second, last = memory.quarter(2, process), memory.quarter(4, process)
        peak = max(sample.get(process, 0) for sample in memory.samples)
        ratios[process] = last / second if second else 1.0
        print(f"| {process} | {second / 1e6:.0f} | {last / 1e6:.0f} | {ratios[process]:.3f} | "
              f"{peak / 1e6:.0f} |")  # fmt: skip
    print(json.dumps({"ratios": ratios, "spilled": store.spilled, "peak_store": store.peak}),
          file=sys.stderr)  # fmt: skip


if __name__ == "__main__":
    main()
