"""The whole proof on a GPU in one command: what it can do, what we get, and that it is right.

    python benchmarks/gpu.py --minutes 9 --out FOLDER          Qwen3-Omni-30B-A3B's sizes
    python benchmarks/gpu.py --minutes 9 --out FOLDER --tiny   all phases on a CPU

Random weights of the released sizes are made on the GPU: they check speed and kernels, not quality.
Their routing is more skewed than that of real text. Rows are written to FOLDER as they come, in
results.json and results.md; started again, it runs only the phases that are missing. It exits with
1 if a phase failed. With --tiny, kernels run through Triton's interpreter.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

if "--tiny" in sys.argv:
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports Triton
sys.path.insert(0, str(Path(__file__).parents[1]))  # it need not be installed

import torch
from gpu_phases import Bench, list_phases
from gpu_record import Record
from random_model import full_size, make_model, tiny_size
from scorer import FULL, TINY

from ah_ray.omni.model.loading import DTYPES, prepare_model


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=9.0)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--tiny", action="store_true")
    given = options.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        sys.exit("no GPU here: give --tiny to run all phases on a CPU with the tiny model")
    until = time.monotonic() + 60 * given.minutes
    bench = make_bench(given.tiny)
    record = Record(given.out, describe_machine(bench))
    record.run(list_phases(bench), until - time.monotonic())
    record.write()
    failed = [name for name, found in record.phases.items() if found["state"] != "done"]
    print(f"\n{given.out / 'results.md'}" + (f"; not done: {', '.join(failed)}" if failed else ""))
    sys.exit(any(found["state"].startswith("failed") for found in record.phases.values()))


def make_bench(tiny: bool) -> Bench:
    """Make the model where it is to run."""
    if tiny:
        torch.set_num_threads(1)
    setup = (
        replace(TINY, n_clips=8, n_published=1, budgets=(1_024,), batch=2)
        if tiny
        else replace(FULL, n_clips=256, n_published=4, budgets=(16_384, None))
    )
    config, tokenizer = tiny_size() if tiny else full_size()
    model = make_model(config, tokenizer, DTYPES[setup.plain], setup.device)
    prepare_model(model, setup.plain)
    bench = Bench(
        model=model, config=config, tokenizer=tokenizer, setup=setup,
        n_compared=4 if tiny else 50, n_packs=3 if tiny else 20, n_train=4 if tiny else 32,
        file_bytes=1 << (20 if tiny else 33),
    )  # fmt: skip
    bench.choose_experts()
    return bench


def describe_machine(bench: Bench) -> dict[str, str]:
    """Return what every table needs to be read: card, driver, versions and commit."""
    head = {"card": "CPU, tiny model", "python": platform.python_version()}
    if bench.device.type == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        head["card"] = torch.cuda.get_device_name()
        head["driver"] = run_quietly(query)
    for package in ("torch", "triton", "transformers"):
        try:
            head[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            head[package] = "not installed"
    head["commit"] = run_quietly(["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"])[
        :12
    ]
    return head


def run_quietly(command: list[str]) -> str:
    """Return the first line that a command prints, or `unknown`."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return next(iter(ran.stdout.splitlines()), "unknown").strip()


if __name__ == "__main__":
    main()
