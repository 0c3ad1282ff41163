"""Several questions from labels to scores, through the jobs: prepare, train, score."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console

from ah_ray.output.read import read_answers, read_verdicts
from ah_ray.training.demo import SCENE_S, draw_videos, make_scenes

REPOSITORY = Path(__file__).parents[2]
N_VIDEOS = {"train": 24, "val": 3, "test": 6}
WORDS = {
    "ah": ("No", "Yes"),
    "mood": ("neutral", "cheerful"),
    "melody": ("level", "rising"),
}
PROFILE = {
    "extends": "tiny",
    "questions": {
        "ah": None,
        "mood": {
            "text": " content: is the face neutral or cheerful?",
            "answers": ["neutral", "cheerful"],
            "sees": "picture",
        },
        "melody": {
            "text": " content: is the voice level, rising or falling?",
            "answers": ["level", "rising", "falling"],
            "sees": "sound",
        },
    },
}
LEARN = (
    "--method", "full", "--epochs", "6", "--batch", "16", "--learning-rate", "5e-4",
    "--modality-dropout", "0.1", "--workers", "1",
)  # fmt: skip


def run_job(name: str, *flags: object, timeout: int = 1200) -> str:
    command = [sys.executable, f"jobs/{name}.py", *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_labels(folder: Path) -> None:
    """One row a scene; every third scene has labels of mood and melody alone."""
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["uri", "start_s", "end_s", "label", "mood", "voice", "participant", "split"])
        for split in ("train", "val"):
            for number in range(N_VIDEOS[split]):
                for index, scene in enumerate(make_scenes(split, number)):
                    label = "" if index % 3 == 2 else int(scene.shows_ah)
                    words = WORDS["mood"][scene.smiling], WORDS["melody"][scene.rising]
                    name, start_s = f"{split}-{number:04d}", index * SCENE_S
                    times = start_s, start_s + SCENE_S
                    rows.writerow([f"{name}.mp4", *times, label, *words, name, split])


@pytest.mark.heavy  # about 2 minutes, and drawing the videos
@pytest.mark.timeout(1500)
def test_several_questions_are_prepared_learned_and_scored(ray_session, tmp_path):
    videos, profile = tmp_path / "videos", tmp_path / "moods.yaml"
    draw_videos(videos, N_VIDEOS, Console(quiet=True))
    write_labels(videos)
    profile.write_text(yaml.safe_dump(PROFILE, sort_keys=False))
    told = run_job(
        "prepare", "--table", videos / "labels.csv", "--out", tmp_path / "labels",
        "--plain-participants", "--label-columns", "mood,melody=voice",
    )  # fmt: skip
    assert "question mood: train" in told
    taught = ("--labels", tmp_path / "labels", "--model", "tiny", "--profile", profile, *LEARN)
    told = run_job("train", *taught, "--out", tmp_path / "planned", "--plan")
    assert "mood: " in told and "cheerful" in told
    told = run_job("train", *taught, "--out", tmp_path / "run")
    assert "melody accuracy" in told
    about = json.loads((tmp_path / "run" / "model" / "training.json").read_text())
    assert set(about["labels"]["questions"]) == set(WORDS)
    card = (tmp_path / "run" / "model" / "MODEL_CARD.md").read_text()
    assert "questions learned: ah (" in card and "| mood: macro_f1 |" in card
    metrics = pq.read_table(tmp_path / "run" / "metrics.parquet").to_pylist()
    last = [row["val_questions"] for row in metrics if row["val_questions"]][-1]
    assert [one["question"] for one in last] == ["mood", "melody"]

    (tmp_path / "unseen").mkdir()
    for path in videos.glob("test-*.mp4"):
        path.rename(tmp_path / "unseen" / path.name)
    out = tmp_path / "scores"
    run_job(  # without --profile: the record of the training names it, with its questions
        "score", "--videos", tmp_path / "unseen", "--out", out, "--model", tmp_path / "run/model"
    )
    right = count_right(out)
    print(right)
    assert all(n_right / n >= 0.9 for n_right, n in right.values()), right


def count_right(out: Path) -> dict[str, tuple[int, int]]:
    """How many clips of the unseen videos each question answers as they were drawn."""
    names = {row["video_id"]: Path(row["uri"]).stem for row in read_verdicts(str(out)).to_pylist()}
    best: dict[tuple[str, int, str], tuple[float, str]] = {}
    for row in read_answers(str(out)).to_pylist():
        key = names[row["video_id"]], row["clip_index"], row["question"]
        best[key] = max(best.get(key, (0.0, "")), (row["p"], row["answer"]))
    found: dict[str, list[bool]] = {name: [] for name in WORDS}
    for (name, clip, question), (_, answer) in best.items():
        scene = make_scenes("test", int(name.removeprefix("test-")))[clip]
        truth = {"ah": scene.shows_ah, "mood": scene.smiling, "melody": scene.rising}
        found[question].append(answer == WORDS[question][truth[question]])
    return {question: (sum(its), len(its)) for question, its in found.items()}
