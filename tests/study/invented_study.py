"""A labelled manifest, and outputs of models that know something of it: no video, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from invented_rows import make_output, scoring

from ah_ray.errors import ErrorKind
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels

PARTICIPANTS = {"train": 2, "val": 20, "test": 30}
UNSCORED = {0: ErrorKind.UNREADABLE, 5: None, 9: ErrorKind.TIMEOUT}
"""Of the videos of test: without a verdict, or (None) without a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    labels: str
    videos: list[dict]  # rows of LABELLED_VIDEOS

    def of(self, split: str) -> list[dict]:
        return [video for video in self.videos if video["split"] == split]


def make_study(
    folder: Path, participants=PARTICIPANTS, seed: int = 0, *, named: bool = False
) -> Study:
    """1 to 6 clips a video, 2 to 6 videos a participant; half of a video or so is marked.

    `named`: files are called as in BAH, with the question that is answered. Other seeds are other
    people.
    """
    random = np.random.default_rng(seed)
    videos = []
    for split, n_participants in participants.items():
        for number in range(n_participants):
            person = {
                "participant_id": f"{split}-{number:03d}" + (f"-{seed}" if seed else ""),
                "age": int(random.integers(17, 80)),
                "gender": str(random.choice(["woman", "man"])),
                "ethnicity": str(random.choice(["a", "b"], p=[0.95, 0.05])),
                "language": None,
            }
            videos += [
                _video(f"{person['participant_id']}-{place}", split, person, random)
                for place in range(random.integers(2, 7))
            ]
    videos.sort(key=lambda video: video["video_id"])
    if named:
        for video in videos:
            whose, place = video["participant_id"], int(video["video_id"].rpartition("-")[2]) + 1
            video["uri"] = f"/cohort/{whose}/{whose}_Question_{place}_2023-11-09.mp4"
    table = pa.Table.from_pylist(videos, schema=LABELLED_VIDEOS)
    about = {"data_fingerprint": "0123456789abcdef"}
    write_labels(str(folder), WINDOWS.empty_table(), table, about)
    return Study(labels=str(folder), videos=videos)


def _video(video_id: str, split: str, person: dict, random: np.random.Generator) -> dict:
    n_clips, label = int(random.integers(1, 7)), int(random.random() < 0.45)
    first = int(random.integers(0, n_clips))
    return {
        "uri": f"/cohort/{video_id}.mp4",
        "video_id": video_id,
        "label": label,
        "duration_s": 5.0 * n_clips,
        "split": split,
        "segments": [{"start_s": 5.0 * first, "end_s": 5.0 * n_clips}] if label else [],
        **person,
    }


def make_scores(
    out: Path,
    study: Study,
    *,
    knows: float = 1.0,
    sureness: float = 3.0,
    model: str = "model-a",
    seed: int = 0,
    more: Sequence[dict] = (),
) -> str:
    """An output whose clips' logits tell, by `knows` standard deviations, what is marked.

    Too sure of itself by `sureness`: that is about the temperature that corrects it.
    """
    random = np.random.default_rng(seed)
    rows, test = {}, [video["video_id"] for video in study.of("test")]
    left_out = {test[place]: why for place, why in UNSCORED.items() if place < len(test)}
    for video in (*study.videos, *more):
        n_clips = round(video["duration_s"] / 5)
        marked = [
            any(s["start_s"] <= 5.0 * place < s["end_s"] for s in video["segments"])
            for place in range(n_clips)
        ]
        heard = knows * (2.0 * np.array(marked) - 1) + random.normal(size=n_clips)
        p_ah = 1 / (1 + np.exp(-sureness * (heard - 0.5)))
        rows[video["video_id"]] = p_ah.tolist()
    rows |= {video_id: why for video_id, why in left_out.items() if why is not None}
    rows = {name: row for name, row in rows.items() if left_out.get(name, row) is not None}
    rows["nobody-labelled-this"] = [0.5]
    make_output(str(out), dict(sorted(rows.items())), by=scoring(model))
    return str(out)
