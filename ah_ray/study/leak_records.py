"""Whose videos something learned from, from the labels that it was given."""

from __future__ import annotations

import pyarrow.compute as pc

from ah_ray.cohort.participant_names import normal_form
from ah_ray.provenance.learned_from import LearnedFrom, Use, learned_from
from ah_ray.study.labelled_manifest import read_about, read_labelled_videos, read_windows


def record_split(labels: str, split: str, use: Use, by: str = "") -> LearnedFrom | None:
    """Return the participants and contents of one split of a labelled manifest.

    Return None if nobody is in it. Raise ConfigError if `labels` is not a labelled manifest.
    """
    videos, windows = read_labelled_videos(labels, split), read_windows(labels, split)
    participants = {
        normal_form(name)
        for table in (videos, windows)
        for name in pc.unique(table["participant_id"]).to_pylist()
    }
    if not participants:
        return None
    return learned_from(
        use,
        data_fingerprint=read_about(labels)["data_fingerprint"],
        participants=participants,
        contents=videos["content"].to_pylist(),
        split=split,
        by=by,
    )


def record_training(labels: str, by: str = "") -> list[LearnedFrom]:
    """Return the records of a training: windows of train, and the choice of a checkpoint on val."""
    uses = (("train", Use.TRAINING), ("val", Use.CHECKPOINT))
    records = (record_split(labels, split, use, by) for split, use in uses)
    return [record for record in records if record is not None]
