"""What size costs beside decoding and scoring, measured; and what a cohort costs, calculated.

    python benchmarks/scale.py                     a million videos, then the table of costs
    python benchmarks/scale.py --videos 20000      a small trial of the same
    python benchmarks/scale.py --model             only the table, with your own inputs:
        --clips-per-gpu-s 44 --gpu-hour 4 --core-hour 0.04 --within-h 8 …
        --gpus 8 --cores 128                       on machines that you have: how long?

Each part (scale_parts.py) runs in a process, and with a bucket, of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields

from bucket_server import bucket_server
from cost_model import Constants, estimate, gpus_for
from scale_parts import N_NEW, PARTS

HOURS = (10_000, 100_000, 1_000_000, 10_000_000)


def run_part(name: str, n_videos: int) -> dict:
    """In a process, and with a bucket, of its own."""
    with bucket_server() as environment:
        done = subprocess.run(
            [sys.executable, __file__, "--part", name, "--videos", str(n_videos)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def print_measured(n_videos: int) -> None:
    fewer = min(n_videos, 100_000)
    print(f"{n_videos:,} videos, {N_NEW:,} of them new; a first night, and a run with nothing "
          f"pending, have {fewer:,}.\n")  # fmt: skip
    print("| step | wall s | CPU s | peak MB | |\n| --- | ---: | ---: | ---: | --- |")
    for name in PARTS:
        size = fewer if name in ("first", "idle") else n_videos
        for step, figures in run_part(name, size).items():
            rate = f"{figures['clips_per_s']:,} clips/s" if "clips_per_s" in figures else ""
            print(f"| {step} | {figures['wall_s']:.1f} | {figures['cpu_s']:.1f} | "
                  f"{figures['peak_mb']:,} | {rate} |", flush=True)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many GPUs and cores there are; None: as many as it takes."""

    gpus: int | None
    cores: int | None
    within_h: float

    def __str__(self) -> str:
        gpus = (
            f"{self.gpus:,} GPUs"
            if self.gpus
            else f"as many GPUs as it takes for {self.within_h:g} hours"
        )
        return f"{gpus}; {self.cores:,} cores" if self.cores else gpus


def print_model(constants: Constants, fleet: Fleet) -> None:
    c = constants
    print(f"At {c.clips_per_gpu_s:g} clips/s a GPU, {c.decode_cpu_s_per_min:g} CPU-s to decode a "
          f"minute, {c.gpu_hour:g} a GPU hour and {c.core_hour:g} a core hour; recordings of "
          f"{c.video_s:g} s; {fleet}.\n")  # fmt: skip
    print("| hours of video | videos | clips | outputs | GPUs | cores | wall h | GPU h | core h "
          "| planning min | tables min | dollars | storage, $ a month |")  # fmt: skip
    print("| ---: " * 13 + "|")
    for hours in HOURS:
        gpus = fleet.gpus or gpus_for(hours, fleet.within_h, c)
        if not gpus:
            print(f"| {hours:,} | no number of GPUs does it in {fleet.within_h:g} h |" + " |" * 11)
            continue
        e = estimate(hours, gpus, c, cores=fleet.cores)
        cells = (
            f"{hours:,}", f"{e.videos:,.0f}", f"{e.clips:,.0f}",
            f"{e.outputs:,}", f"{e.gpus:,}", f"{e.cores:,}",
            f"{e.wall_h:.1f}", f"{e.gpu_h:,.0f}", f"{e.core_h:,.0f}", f"{e.plan_min:.1f}",
            f"{e.tables_min:.1f}", f"{e.dollars:,.0f}", f"{e.storage_dollars_month:,.0f}",
        )  # fmt: skip
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--model", action="store_true", help="only the table of costs")
    parser.add_argument("--within-h", type=float, default=8.0, help="a cohort at once: a night")
    parser.add_argument("--gpus", type=int, help="that there are, however long it takes")
    parser.add_argument("--cores", type=int, help="that there are to decode; with --gpus")
    for constant in fields(Constants):
        parser.add_argument(f"--{constant.name.replace('_', '-')}", type=float,
                            default=constant.default,
                            help=f"{constant.metadata['help']}: %(default)s")  # fmt: skip
    arguments = parser.parse_args()
    if arguments.cores and not arguments.gpus:
        parser.error("--cores goes with --gpus: how many of each there are")
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.videos)))
        return
    if not arguments.model:
        print_measured(arguments.videos)
        print()
    print_model(
        Constants(**{c.name: getattr(arguments, c.name) for c in fields(Constants)}),
        Fleet(arguments.gpus, arguments.cores, arguments.within_h),
    )


if __name__ == "__main__":
    main()
