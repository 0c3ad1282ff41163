"""Does training from rewards raise them? GRPO from a half-taught start, on drawn talking faces.

    python benchmarks/rewards.py [--steps 80]

The start lies between the seeded model and the one that this project ships: a blend of their
weights, as far on the way as it must be to answer about 7 of 10 clips rightly. It goes on from
rewards alone: answers drawn in groups, 1 for being right and 1 for the form. Prints the mean reward
of each tenth of the steps, and the accuracy on other videos before and after.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from safetensors.torch import load_file, save_file

from ah_ray import cluster
from ah_ray.config import Arithmetic, Limits, Windows
from ah_ray.media.decode import decode
from ah_ray.omni.make_tiny import make_tiny
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile
from ah_ray.records import Clip
from ah_ray.study.labelled_manifest import read_labelled_videos, read_windows, write_labels
from ah_ray.training.demo import draw_videos, make_scenes, write_demo_labels
from ah_ray.training.run import train
from ah_ray.training.settings import train_settings

N_VIDEOS = {"train": 60, "val": 24}
QUIET = Console(quiet=True)
PROFILE = load_profile("tiny")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=80)
    options.add_argument("--learning-rate", type=float, default=1e-3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster.connected():
        place = Path(folder)
        draw_videos(place / "videos", N_VIDEOS, QUIET)
        clips, drawn = decoded(place / "videos")
        share, before = half_taught(place, clips, drawn)
        settings = train_settings(
            labels=str(labels(place)), model=str(place / "start"), profile="tiny",
            out=str(place / "out"), method="grpo", batch=16, epochs=8, max_steps=given.steps,
            learning_rate=given.learning_rate, evaluate_every=given.steps,
        )  # fmt: skip
        train(settings, QUIET)
        rows = pq.read_table(place / "out" / "metrics.parquet").to_pylist()
        after = accuracy(place / "start", clips, drawn, [place / "out" / "adapter"])
    steps = [row for row in rows if row["reward"] is not None]
    print(f"{share:.0%} of the way from seeded to taught; {len(steps)} steps of 16 windows and 8")
    print(f"answers each, LoRA rank 8, learning rate {given.learning_rate:g}\n")
    print("| steps | mean reward, of 2 | KL to the start |")
    print("| --- | ---: | ---: |")
    tenth = max(1, len(steps) // 10)
    for first in range(0, len(steps), tenth):
        part = steps[first : first + tenth]
        means = [sum(row[name] for row in part) / len(part) for name in ("reward", "kl")]
        print(f"| {part[0]['step']}–{part[-1]['step']} | {means[0]:.3f} | {means[1]:.4f} |")
    print(
        f"\nAccuracy on {len(clips)} clips of other videos: {before:.3f} before, {after:.3f} after."
    )


def decoded(videos: Path) -> tuple[list[Clip], np.ndarray]:
    """The clips of the split `val`, and what was drawn."""
    clips, drawn = [], []
    for number in range(N_VIDEOS["val"]):
        path = videos / f"val-{number:04d}.mp4"
        parts = decode(path, profile=PROFILE, windows=Windows(), limits=Limits())
        clips += [part for part in parts if isinstance(part, Clip)]
        drawn += [scene.shows_ah for scene in make_scenes("val", number)]
    return clips, np.array(drawn)


def accuracy(model: Path, clips: list[Clip], drawn: np.ndarray, adapters=()) -> float:
    scorer = OmniScorer.load(
        model, profile=PROFILE, arithmetic=Arithmetic.FLOAT32, device="cpu", adapters=adapters
    )
    p_ah = np.array([score.p_ah for score in scorer.score(clips)])
    return float(((p_ah >= 0.5) == drawn).mean())


def half_taught(place: Path, clips: list[Clip], drawn: np.ndarray) -> tuple[float, float]:
    """Writes the start; returns how far on the way it lies, and how often it is right."""
    taught = find_checkpoint("tiny")
    make_tiny(place / "seeded")
    ends = [load_file(model / "model.safetensors") for model in (place / "seeded", taught)]
    shutil.copytree(taught, place / "start")
    found = []
    for share in np.arange(0.2, 0.61, 0.04).tolist():
        blend(ends, share, place / "start" / "model.safetensors")
        found.append((share, accuracy(place / "start", clips, drawn)))
    share, right = min(found, key=lambda one: abs(one[1] - 0.7))
    blend(ends, share, place / "start" / "model.safetensors")
    return share, right


def blend(ends: list[dict], share: float, to: Path) -> None:
    seeded, taught = ends
    between = {
        name: ((1 - share) * seeded[name].float() + share * taught[name].float()).to(
            taught[name].dtype
        )
        for name in taught
    }
    save_file(between, to, metadata={"format": "pt"})


def labels(place: Path) -> Path:
    """The question itself alone."""
    write_demo_labels(place / "all", place / "videos", N_VIDEOS)
    windows = read_windows(str(place / "all"))
    plain = windows.filter(pc.is_null(windows["question"]))
    about = {"made_by": "benchmarks/rewards.py", "data_fingerprint": "A/H alone"}
    write_labels(str(place / "labels"), plain, read_labelled_videos(str(place / "all")), about)
    return place / "labels"


if __name__ == "__main__":
    main()
