"""A tree in the form of BAH, with invented people: drawn faces, made-up answers and annotations.

ROOT/Videos/90001/Visite_1/90001_Question_1_2030-01-02_10-00-00_Video.mp4
ROOT/split/train.txt, val.txt, test.txt
ROOT/video_annotation_transcript.yaml      written by Python, so with !!python/tuple in it
ROOT/meta_data.yml
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ah_ray.media.ffmpeg.synthetic import Scene, write_video
from ah_ray.study.prepare.make import Prepared

LENGTHS_S = (2.0, 7.0, 12.0)
COPY = b"a copy: "
"""How the free space at the end of a copied recording begins."""
ANNOTATIONS = "video_annotation_transcript.yaml"


@dataclass(frozen=True, kw_only=True)
class Invented:
    """One video, and what annotators say of it."""

    participant: str
    split: str
    seconds: float
    label: int
    intervals: Sequence[Any] = ()
    question: int = 1
    visit: str = "Visite_1"
    language: str = "english"

    @property
    def path(self) -> str:
        name = f"{self.participant}_Question_{self.question}_2030-01-02_10-00-00_Video.mp4"
        return f"Videos/{self.participant}/{self.visit}/{name}"

    @property
    def annotation(self) -> dict[str, Any]:
        text = " Well, I do not know, to be honest."
        return {
            "all_cues": [{"audio": None, "body": None, "language": "hedging, pauses"}],
            "annotator_id": "XYZ",
            "certainty_ah": [1] * len(self.intervals),
            "fr_detailed_ah": [],
            "frame_annotation": [[f"{self.path}/frame-{n}.jpg", self.label] for n in range(3)],
            "global_ah": self.label,
            "time_detailed_ah": list(self.intervals),
            "transcript": {
                "chunks": [{"language": self.language, "text": text, "timestamp": (0.0, 2.0)}],
                "text": text,
            },
        }


VIDEOS = (
    Invented(participant="90001", split="train", seconds=12.0, label=1,
             intervals=[("00:00:01.000", "00:00:09.500")]),
    Invented(participant="90001", split="train", seconds=12.0, label=0, question=2),
    Invented(participant="90002", split="train", seconds=12.0, label=0, visit="Visite 2",
             language="french"),
    Invented(participant="90003", split="train", seconds=2.0, label=0),
    Invented(participant="90003", split="train", seconds=12.0, label=1, question=2,
             intervals=[("0:02", "0:03.5"), ("0:06", "0:11")]),
    Invented(participant="90004", split="val", seconds=7.0, label=1, intervals=[(0.5, 4.0)]),
    Invented(participant="90005", split="test", seconds=12.0, label=0),
    Invented(participant="90006", split="test", seconds=7.0, label=1,
             intervals=[("1", "3"), ("2", "6.5")]),
)  # fmt: skip

PEOPLE = {
    "90001": {"Age": 31, "Gender": "Female", "Ethnicity simplified": "White",
              "Use in challenges": "Yes", "Use in publications": "Yes"},
    "90002": {"Age": 58, "Gender": "Male", "Ethnicity simplified": "Asian",
              "Use in challenges": "Yes", "Use in publications": "No"},
    "90003": {"Age": None, "Gender": None, "Ethnicity simplified": "Black",
              "Use in challenges": "No", "Use in publications": "Yes"},
    "90004": {"Age": 24, "Gender": "Female", "Use in challenges": "Yes",
              "Use in publications": "Yes"},
    "90005": {"Age": 44, "Gender": "Male", "Use in challenges": "Yes",
              "Use in publications": "Yes"},
    "90006": {"Age": 72, "Gender": "Female", "Use in challenges": "Yes",
              "Use in publications": "Yes"},
}  # fmt: skip


def make_recordings(folder: Path) -> dict[float, Path]:
    """A drawn face of each of LENGTHS_S: seconds → mp4."""
    found = {}
    for seconds in LENGTHS_S:
        found[seconds] = folder / f"{seconds:g}.mp4"
        scene = Scene(smiling=True, rising=False, seconds=seconds)
        write_video(found[seconds], [scene], size_px=64)
    return found


def make_bah(
    root: Path,
    recordings: Mapping[float, Path],
    videos: Iterable[Invented] = VIDEOS,
    *,
    people: Mapping[str, Any] = PEOPLE,
) -> Path:
    """Writes the tree; each video is a recording with bytes of its own."""
    videos = list(videos)
    lines: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for video in videos:
        path = root / video.path
        path.parent.mkdir(parents=True, exist_ok=True)
        copy_recording(recordings[video.seconds], path)
        transcript = f'Well, I do not know, "{video.question}", to be honest.'
        lines[video.split].append(f"{video.path},{video.label},{transcript}\n")
    (root / "split").mkdir()
    for split, text in lines.items():
        (root / "split" / f"{split}.txt").write_text("".join(text))
    annotations = {video.path: video.annotation for video in videos}
    (root / ANNOTATIONS).write_text(yaml.dump(annotations))
    (root / "meta_data.yml").write_text(yaml.dump(dict(people)))
    return root


def copy_recording(recording: Path, path: Path) -> None:
    """Copy an mp4, with free space at its end that holds the new path: its bytes are its own."""
    text = COPY + str(path).encode()
    path.write_bytes(recording.read_bytes() + struct.pack(">I4s", 8 + len(text), b"free") + text)


def edit(path: Path, before: str, after: str) -> int:
    """Replaces a text that stands there once; returns its line."""
    text = path.read_text()
    assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {path}"
    path.write_text(text.replace(before, after))
    return text[: text.index(before)].count("\n") + 1


def spans(prepared: Prepared, video: Invented) -> list[tuple[float, float, int]]:
    """(start, end, label) of the windows of one video."""
    return [
        (row["start_s"], row["end_s"], row["label"])
        for row in prepared.windows.to_pylist()
        if row["uri"].endswith(video.path)
    ]
