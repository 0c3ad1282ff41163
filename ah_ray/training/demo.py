"""Train the tiny model on drawn talking faces, from random weights: `jobs/train.py --demo`.

A/H shows where face and voice disagree, so neither alone is enough. A model that starts from
nothing and is asked only that question keeps guessing. So it is first asked two simpler questions
about the same clips (does the face begin to smile, does the voice rise), and then all three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from rich.console import Console
from rich.progress import track

from ah_ray import cluster
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.media.ffmpeg.synthetic import Scene, random_scenes, write_video
from ah_ray.omni.make_tiny import make_tiny
from ah_ray.profile import load_profile
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, fingerprint, write_labels
from ah_ray.training.ray_errors import convert_ray_errors
from ah_ray.training.run import train
from ah_ray.training.settings import train_settings

SCENE_S = 5.0
_ASKED = "exhibits Ambivalence/Hesitancy emotions"
SMILE = "exhibits a face that begins to smile"
RISE = "exhibits a voice that rises"

_PURPOSE = (
    "That is, whether a drawn face and its voice disagree: it is for demonstrations and tests, and "
    "knows nothing of people."
)
N_VIDEOS = {"train": 500, "val": 40}
FEWEST, MOST = 2, 8  # clips of a video
RECIPE: dict[str, Any] = {
    "method": "full",
    "train_towers": True,
    "profile": "tiny",
    "epochs": 4,
    "simple_epochs": 1,
    "batch": 16,
    "learning_rate": 1e-3,
    "warmup": 0.1,
    "beta2": 0.98,
    "weight_decay": 0.01,
    "shuffle_windows": 64,
    "evaluate_every": 150,
    "patience": 2,
    "balance_loss": 0.001,
    "seed": 1,
}


def train_demo(settings: dict[str, Any], console: Console | None = None) -> ExitStatus:
    """Draw videos, make a tiny model with random weights, and train it; all below --out.

    `settings` are those that the user gave. Files that exist already are not made again.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    for name in ("labels", "model"):
        if settings.get(name):
            raise ConfigError(f"--demo brings its own labels and model: leave out --{name}")
    if not settings.get("out"):
        raise ConfigError("--out is missing: a folder for videos, labels and the model")
    out = Path(settings["out"]).expanduser().resolve()
    with cluster.connected(), convert_ray_errors():
        draw_videos(out / "videos", N_VIDEOS, console)
        write_demo_labels(out / "labels", out / "videos", N_VIDEOS)
        if not (out / "tiny-seeded" / "MODEL_CARD.md").exists():
            make_tiny(out / "tiny-seeded")
        mine = {"labels": str(out / "labels"), "model": str(out / "tiny-seeded"), "out": str(out)}
        checked = train_settings(**{**RECIPE, **settings, **mine})
        return train(checked, console, purpose=_PURPOSE)


def make_scenes(split: str, number: int) -> list[Scene]:
    """Return the scenes of a video: 2 to 8, chosen by its split and number."""
    seed = {"train": 1, "val": 2, "test": 3}[split] * 1_000_000 + number
    n_scenes = int(np.random.default_rng([seed, 7]).integers(FEWEST, MOST + 1))
    return random_scenes(n_scenes, seed)


def draw_videos(folder: Path, n_videos: dict[str, int], console: Console) -> None:
    """Draw and encode the videos that the folder lacks, on all cores."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(split, n) for split, count in n_videos.items() for n in range(count)]
    lacking = [one for one in wanted if not _get_video_path(folder, *one).exists()]
    drawing = [ray.remote(_draw_video).remote(folder, split, number) for split, number in lacking]
    for done in track(drawing, "drawing ", console=console, disable=not drawing):
        ray.get(done)


def _draw_video(folder: Path, split: str, number: int) -> None:
    path = _get_video_path(folder, split, number)
    partial = path.with_name(f".{path.name}")
    write_video(partial, make_scenes(split, number))
    partial.rename(path)


def _get_video_path(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}-{number:04d}.mp4"


def write_demo_labels(out: Path, videos: Path, n_videos: dict[str, int]) -> None:
    """Write a labelled manifest of the drawn videos, with three questions about each scene."""
    user = load_profile("tiny").user
    windows, rows = [], []
    for split, count in n_videos.items():
        for number in range(count):
            path, scenes = _get_video_path(videos, split, number), make_scenes(split, number)
            same = {
                "uri": str(path),
                "video_id": path.stem,
                "participant_id": path.stem,
                "split": split,
            }
            for index, scene in enumerate(scenes):
                asked = ((None, scene.shows_ah), (SMILE, scene.smiling), (RISE, scene.rising))
                for question, label in asked:
                    windows.append(
                        {
                            **same,
                            "window_index": index,
                            "start_s": index * SCENE_S,
                            "end_s": (index + 1) * SCENE_S,
                            "label": int(label),
                            "question": question and user.replace(_ASKED, question),
                            "weight": 1.0,
                        }
                    )
            marked = [
                {"start_s": n * SCENE_S, "end_s": (n + 1) * SCENE_S}
                for n, scene in enumerate(scenes)
                if scene.shows_ah
            ]
            rows.append(
                {
                    **same,
                    "label": int(bool(marked)),
                    "duration_s": len(scenes) * SCENE_S,
                    "segments": marked,
                }
            )
    tables = pa.Table.from_pylist(windows, WINDOWS), pa.Table.from_pylist(rows, LABELLED_VIDEOS)
    about = {"made_by": "jobs/train.py --demo", "data_fingerprint": fingerprint(*tables)}
    write_labels(str(out), *tables, about)
