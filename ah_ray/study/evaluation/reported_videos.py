"""Which labelled videos are reported, and which may be fitted to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.figures.estimate import FEWEST_PEOPLE
from ah_ray.study.evaluation.settings import ALL
from ah_ray.study.evaluation.validity.leaks import check_strangers
from ah_ray.study.evaluation.validity.selection import unselected, without_moments
from ah_ray.study.labelled_manifest import SPLITS
from ah_ray.units import format_count

Row = dict[str, Any]

TRAIN, FIT_ON = "train", "val"
REPORTED = (*SPLITS, ALL)
MEANING = {
    TRAIN: "models that were trained on these labels know these people, so their figures are too "
    "good",
    FIT_ON: "checkpoints are chosen and thresholds and calibrations fitted on these people, so "
    "figures of outputs that use them are too good",
    ALL: "people of train and val are among them, whom models and calibrations may know",
}
"""What the figures of a split other than test are worth."""


def split_videos(table: pa.Table, split: str) -> tuple[list[Row], list[Row]]:
    """Return the labelled videos that are reported, and those of val that may be fitted to.

    There are none of the latter where val itself is reported. Raise ConfigError if a participant is
    in both, or if there is no video to report.
    """
    if split not in REPORTED:
        raise ConfigError(
            f"--split {split}: there is no such split; choose one of {', '.join(REPORTED)}"
        )
    videos = [video for video in table.to_pylist() if video["label"] is not None]
    reported = labelled_videos(table, split)
    if not reported:
        there = Counter(video["split"] for video in videos)
        held = ", ".join(f"{n} in {name}" for name, n in there.items()) or "none at all"
        raise ConfigError(f"no labelled video is in the split {split}: there are {held}")
    fitting = [v for v in videos if v["split"] == FIT_ON and split not in (ALL, FIT_ON)]
    reported, fitting = without_moments(reported), unselected(fitting)
    check_strangers(reported, fitting, FIT_ON, split)
    return reported, fitting


def labelled_videos(table: pa.Table, split: str) -> list[Row]:
    """Return the videos of a split, or of all, that have a label."""
    return [
        video
        for video in table.to_pylist()
        if video["label"] is not None and split in (ALL, video["split"])
    ]


def baseline_videos(table: pa.Table, split: str, reported: Sequence[Row]) -> tuple[str, list[Row]]:
    """Return the split that baselines are fitted on, and its labelled videos; [] if there is none.

    It is train, or val where train has no labels.
    """
    for name, videos in videos_of_strangers(table, split, reported):
        if len({video["label"] for video in videos}) == 2:
            return name, videos
    return TRAIN, []


def videos_of_strangers(
    table: pa.Table, split: str, reported: Sequence[Row]
) -> Iterator[tuple[str, list[Row]]]:
    """Yield train and val, if not reported, each with the labelled videos that a rule may know.

    Videos of participants who are reported are left out, since a rule may not have seen them
    either, and so are selected ones.
    """
    whose = {video["participant_id"] for video in reported}
    for name in (TRAIN, FIT_ON):
        if split not in (ALL, name):
            videos = unselected(labelled_videos(table, name))
            yield name, [video for video in videos if video["participant_id"] not in whose]


def describe_split(split: str, n_participants: int) -> list[str]:
    """Return what figures of so few people, or of this split, are worth."""
    notes = []
    if n_participants < FEWEST_PEOPLE:
        notes.append(
            f"{format_count(n_participants, 'participant')}: too few for intervals "
            f"(under {FEWEST_PEOPLE}), and for any conclusion"
        )
    if split in MEANING:
        notes.append(f"{split} is reported: {MEANING[split]}")
    return notes
