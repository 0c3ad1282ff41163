"""Labels of further questions, and outputs that know something of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from invented_rows import EFFORT, TONES, make_output, scoring, why_profile
from study.invented_study import UNSCORED, Study, make_study

from ah_ray.profile import Profile
from ah_ray.study.labelled_manifest import (
    ANSWERS,
    fingerprint,
    read_labelled_videos,
    read_windows,
    write_labels,
)

ANSWERS_OF = {"face": TONES, "seen": ("Yes", "No"), "effort": EFFORT["answers"]}
"""The questions that are labelled. A label of `face` is of each clip of a video, too."""


def answers_profile() -> Profile:
    return why_profile({"effort": EFFORT})


def make_answers(
    folder: Path,
    participants: dict[str, int],
    *,
    seed: int = 0,
    questions: Sequence[str] = tuple(ANSWERS_OF),
) -> tuple[Study, list[dict]]:
    """A study whose videos are labelled with answers; every second one clip by clip, too.

    `seen` has the label Yes where a video is A/H, mostly. Return the labels as rows of ANSWERS.
    """
    study = make_study(folder, participants, seed=seed)
    random = np.random.default_rng(seed + 1)
    rows = []
    for number, video in enumerate(study.videos):
        own = {name: int(random.integers(0, len(ANSWERS_OF[name]))) for name in questions}
        if "seen" in own:
            own["seen"] = int(video["label"] == 0) if random.random() < 0.9 else own["seen"]
        for name, place in own.items():
            about = {
                "video_id": video["video_id"],
                "question": name,
                "weight": 1.0,
                "participant_id": video["participant_id"],
                "split": video["split"],
            }
            whole = ANSWERS_OF[name][place]
            rows.append(about | {"start_s": None, "end_s": None, "answer": whole})
            n_clips = round(video["duration_s"] / 5) if number % 2 == 0 else 0
            for clip in range(n_clips):
                answer = whole if random.random() < 0.8 else str(random.choice(ANSWERS_OF[name]))
                span = {"start_s": 5.0 * clip, "end_s": 5.0 * clip + 5}
                rows.append(about | span | {"answer": answer})
    table = pa.Table.from_pylist(rows, schema=ANSWERS).sort_by(
        [("video_id", "ascending"), ("start_s", "ascending"), ("question", "ascending")]
    )
    windows, videos = read_windows(study.labels), read_labelled_videos(study.labels)
    about = {"data_fingerprint": fingerprint(windows, videos, table)}
    write_labels(study.labels, windows, videos, about, answers=table)
    return study, rows


def make_answered_scores(
    out: Path,
    study: Study,
    labels: Sequence[dict],
    *,
    knows: float = 2.0,
    model: str = "model-a",
    profile: Profile | None = None,
    seed: int = 0,
) -> str:
    """An output whose answers tell, by `knows` standard deviations of logits, what is labelled.

    Face and voice contradict each other where a clip is marked as A/H.
    """
    random = np.random.default_rng(seed)
    whole = {
        (row["video_id"], row["question"]): ANSWERS_OF[row["question"]].index(row["answer"])
        for row in labels
        if row["start_s"] is None
    }
    test = [video["video_id"] for video in study.of("test")]
    left_out = {test[place]: why for place, why in UNSCORED.items() if place < len(test)}
    videos, answered = {}, {}
    for video in study.videos:
        video_id, n_clips = video["video_id"], round(video["duration_s"] / 5)
        marked = [
            any(s["start_s"] <= 5.0 * clip < s["end_s"] for s in video["segments"])
            for clip in range(n_clips)
        ]
        heard = 1.2 * (2.0 * np.array(marked) - 1) + random.normal(size=n_clips)
        videos[video_id] = (1 / (1 + np.exp(-heard))).tolist()
        answered[video_id] = given = {}
        for name, answers in ANSWERS_OF.items():
            logits = random.normal(size=(n_clips, len(answers)))
            if (video_id, name) in whole:
                logits[:, whole[video_id, name]] += knows
            given[name] = softmax(logits)
        face = np.array(given["face"])
        noise = softmax(random.normal(size=(n_clips, 3)))
        turned = np.where(np.array(marked)[:, None], face[:, ::-1], face)
        given["voice"] = (0.8 * turned + 0.2 * np.array(noise)).tolist()
    videos |= {video_id: why for video_id, why in left_out.items() if why is not None}
    videos = {name: p for name, p in videos.items() if left_out.get(name, p) is not None}
    by = scoring(model, profile=profile or answers_profile())
    make_output(str(out), dict(sorted(videos.items())), by=by, answered=answered)
    return str(out)


def softmax(logits: np.ndarray) -> list[list[float]]:
    p = np.exp(logits)
    return (p / p.sum(axis=1, keepdims=True)).tolist()
