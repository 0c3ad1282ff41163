"""A driver whose Ray has four faked GPUs: scores on CPUs, and notes which replicas load together.

python load_on_faked_gpus.py VIDEOS OUT NOTES
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import ray
from rich.console import Console

from ah_ray.config import score_settings
from ah_ray.pipeline import graph, run
from ah_ray.pipeline.actors.replica import Replica

N_GPUS = 4
PATIENCE_S = 60.0


def main(videos: str, out: str, notes: str) -> None:
    class WaitsForAll(Replica):
        """Holds a GPU that does not exist, and is loaded when all replicas are loading.

        If the others begin only when this one is ready, they never come.
        """

        def __init__(self, settings):
            folder = Path(notes)
            (folder / f"{os.getpid()}.begun").touch()
            until = time.monotonic() + PATIENCE_S
            while len(list(folder.glob("*.begun"))) < N_GPUS and time.monotonic() < until:
                time.sleep(0.05)
            n_begun = len(list(folder.glob("*.begun")))
            super().__init__(replace(settings, n_gpus=0))
            (folder / f"{os.getpid()}.loaded").write_text(str(n_begun))

    graph.Replica = WaitsForAll
    settings = score_settings(
        videos=videos,
        out=out,
        model="tiny",
        device="gpu",
        arithmetic="float32",
        max_failed=1.0,
        decoders=1,
    )
    ray.init("local", num_cpus=2, num_gpus=N_GPUS, include_dashboard=False, log_to_driver=False)
    sys.exit(int(run.run(settings, Console())))


if __name__ == "__main__":
    main(*sys.argv[1:])
