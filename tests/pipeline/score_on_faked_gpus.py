"""A driver for a cluster whose GPUs are faked: scores on CPUs, and notes when GPUs were there.

python score_on_faked_gpus.py VIDEOS OUT NOTES
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace

import ray
from rich.console import Console

from ah_ray import cluster
from ah_ray.config import score_settings
from ah_ray.pipeline import capacity, graph, run
from ah_ray.pipeline.actors.replica import Replica


class OnCpu(Replica):
    """Holds a GPU that does not exist."""

    def __init__(self, settings):
        super().__init__(replace(settings, n_gpus=0))


def main(videos: str, out: str, notes: str) -> None:
    graph.Replica = OnCpu
    settings = score_settings(
        videos=videos, out=out, model="tiny", device="gpu", arithmetic="float32", max_failed=1.0
    )
    seen: list[dict] = []
    works = []
    make = run.Work
    run.Work = lambda **parts: works.append(make(**parts)) or works[-1]

    def look() -> None:
        while True:
            if works and ray.is_initialized():
                tally = works[-1].tally
                found = {"gpus": capacity.gpus(), "clips": tally.n_clips, "stage": tally.stage}
                if not seen or seen[-1] != found:
                    seen.append(found)
            time.sleep(0.1)

    threading.Thread(target=look, daemon=True).start()
    with cluster.connected():
        assert capacity.grows(patience_s=20)
        status = run.run(settings, Console())
        seen.append({"gpus": capacity.gpus(), "stage": "ended", "status": int(status)})
        until = time.monotonic() + 60
        while capacity.gpus() and time.monotonic() < until:
            time.sleep(0.5)
        seen.append({"gpus": capacity.gpus(), "stage": "given back"})
        with open(notes, "w") as file:  # noqa: PTH123
            json.dump(seen, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
