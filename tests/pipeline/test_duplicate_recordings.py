"""Copies of real recordings, encoded again, made smaller and trimmed: found after a real run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from ah_ray.config import Limits
from ah_ray.media.ffmpeg.ffmpeg_process import recording_input
from ah_ray.media.ffmpeg.synthetic import draw, random_scenes, write_video
from ah_ray.results.duplicates import find_duplicates

pytestmark = pytest.mark.heavy

CODEC = {"f": "mp4", "c:v": "libx264", "preset": "ultrafast", "c:a": "aac"}
COPIES: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {  # number, reading, writing
    "encoded": (0, {}, {"crf": 36, "b:a": "24k"}),
    "smaller": (1, {}, {"vf": "scale=80:80", "r": 20}),
    "trimmed": (2, {"ss": 5}, {"crf": 24}),
    "head": (3, {}, {"t": 10}),
    "all-of-it": (4, {"ss": 5}, {"vf": "scale=96:96", "crf": 32}),
}
N_VIDEOS = 14


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """Drawn faces of 4 scenes each, copies of some, and who is seen in them."""
    folder = tmp_path_factory.mktemp("copies")
    people = {}
    for n in range(N_VIDEOS):
        write_video(folder / f"v{n:02}.mp4", random_scenes(4, seed=7_000 + n))
        people[f"v{n:02}.mp4"] = f"P-{n:02}"
    for name, (of, reading, writing) in COPIES.items():
        with (
            (folder / f"v{of:02}.mp4").open("rb") as source,
            (folder / f"{name}.mp4").open("w+b") as copy,
        ):
            made = recording_input(source, Limits(), **reading)
            draw(made, drawn=[source], file=copy, **CODEC, **writing)
        people[f"{name}.mp4"] = "P-00" if name == "encoded" else f"P-{name}"
    with (folder / "cohort.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "participant"])
        writer.writerows(people.items())
    return folder


def test_each_copy_is_found_and_nobody_else(cohort, scored, tmp_path):
    scored(cohort / "cohort.csv", tmp_path / "out", keep_embeddings=True)
    found = find_duplicates(str(tmp_path / "out"), similarity=0.9)
    pairs = {frozenset((pair.first.name, pair.second.name)): pair for pair in found.pairs}
    folder = cohort.name
    expected = {
        name: frozenset((f"{folder}/{name}.mp4", f"{folder}/v{of:02}.mp4"))
        for name, (of, *_) in COPIES.items()
    }
    assert pairs.keys() == set(expected.values())
    leaks = {name: pairs[pair].leaks for name, pair in expected.items()}
    assert leaks.pop("encoded") == ()
    assert set(leaks.values()) == {("participants",)}
