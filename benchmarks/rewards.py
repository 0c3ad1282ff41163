"""Does training from rewards raise them? GRPO from a half-taught start, on drawn talking faces.

    python benchmarks/rewards.py [--taught 200] [--steps 120]

First the tiny model is taught from labels, but stopped early: it answers in the right form, and is
right more often than a guess. That model goes on from rewards alone: answers drawn in groups, 1 for
being right and 1 for the form. Prints the mean reward of each tenth of the steps, and what the
split `val` says before and after.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from ah_ray import cluster
from ah_ray.omni.make_tiny import make_tiny
from ah_ray.study.labels import (
    read_labelled_videos,
    read_windows,
    write_labels,
)
from ah_ray.training.demo import RECIPE, draw, write_demo_labels
from ah_ray.training.run import train
from ah_ray.training.settings import train_settings

N_VIDEOS = {"train": 200, "val": 30}
QUIET = Console(quiet=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--taught", type=int, default=200, help="steps from labels")
    options.add_argument("--steps", type=int, default=120, help="steps from rewards")
    options.add_argument("--learning-rate", type=float, default=3e-4)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster.connected():
        place = Path(folder)
        labels = simple_labels(place)
        make_tiny(place / "seeded")
        taught = train_settings(
            **{**RECIPE, "epochs": 4, "simple_epochs": 0, "patience": None, "evaluate_every": None},
            labels=str(labels), model=str(place / "seeded"), out=str(place / "taught"),
            max_steps=given.taught,
        )  # fmt: skip
        train(taught, QUIET)
        rewarded = train_settings(
            labels=str(labels), model=str(place / "taught" / "model"), profile="tiny",
            out=str(place / "rewarded"), method="grpo", batch=16, epochs=4,
            max_steps=given.steps, learning_rate=given.learning_rate, seed=2,
            evaluate_every=given.steps,
        )  # fmt: skip
        train(rewarded, QUIET)
        before = evaluations(place / "taught")[-1]
        after = evaluations(place / "rewarded")[-1]
        steps = [row for row in rows(place / "rewarded") if row["reward"] is not None]
    print(f"{given.taught} steps from labels, then {len(steps)} from rewards, 16 windows and")
    print("8 answers each; LoRA rank 8\n")
    print("| steps | mean reward, of 2 | KL to the start |")
    print("| --- | ---: | ---: |")
    tenth = max(1, len(steps) // 10)
    for start in range(0, len(steps), tenth):
        part = steps[start : start + tenth]
        means = [sum(row[name] for row in part) / len(part) for name in ("reward", "kl")]
        print(f"| {part[0]['step']}–{part[-1]['step']} | {means[0]:.3f} | {means[1]:.4f} |")
    print(f"\nOn `val`, accuracy {before:.3f} before and {after:.3f} after.")


def simple_labels(place: Path) -> Path:
    """The simpler questions alone: a model learns them step by step, A/H all at once."""
    draw(place / "videos", N_VIDEOS, QUIET)
    write_demo_labels(place / "all", place / "videos", N_VIDEOS)
    windows = read_windows(str(place / "all"))
    simple = windows.filter(pc.is_valid(windows["question"]))
    about = {"made_by": "benchmarks/rewards.py", "data_fingerprint": "simpler questions"}
    write_labels(str(place / "labels"), simple, read_labelled_videos(str(place / "all")), about)
    return place / "labels"


def rows(out: Path) -> list[dict]:
    return pq.read_table(out / "metrics.parquet").to_pylist()


def evaluations(out: Path) -> list[float]:
    return [row["val_simple_accuracy"] for row in rows(out) if row["val_n_windows"] is not None]


if __name__ == "__main__":
    main()
