"""The rows that an output has of labelled videos, with their timelines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.errors import ConfigError, StorageError
from ah_ray.results.outputs import OutputConfig, config_in
from ah_ray.results.reducers import YES
from ah_ray.results.stream import stream_rows
from ah_ray.results.verdict import with_verdict
from ah_ray.study.evaluation.judged import Judged
from ah_ray.units import counted, named

NO_ROW = "no row"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredOutput:
    """An output, as far as it was labelled."""

    out: str
    config: OutputConfig
    rows: dict[str, dict]  # video_id → its row of records.VERDICT

    def reason(self, video_id: str) -> str | None:
        """Why a video has no verdict; null if it has one."""
        row = self.rows.get(video_id)
        if row is None:
            return NO_ROW
        return row["error_kind"] if row["p_ah"] is None else None

    def judged(self, videos: Sequence[dict], reduction: Reduction | None = None) -> Judged:
        """Verdicts of rows of LABELLED_VIDEOS: as they stand, or formed anew by `reduction`."""
        rows = [self.rows.get(video["video_id"]) for video in videos]
        if reduction is not None:
            rows = [row and with_verdict(row, reduction) for row in rows]
        return Judged.of(
            [video["label"] == 1 for video in videos],
            [row and row["p_ah"] for row in rows],
            [row is not None and row["answer"] == YES for row in rows],
            numbered(video["participant_id"] for video in videos),
        )

    def plain(self, reducer: str) -> Reduction:
        """That reducer at 0.5, without calibration; of several models, combined as they are."""
        return Reduction(reducer=reducer, ensemble=self.config.reduction.ensemble)


def numbered(participants) -> np.ndarray:
    """[n] int64: one number for each participant."""
    _, numbers = np.unique(np.array(list(participants), dtype=str), return_inverse=True)
    return numbers.astype(np.int64)


def read_output(out: str, video_ids: Collection[str]) -> ScoredOutput:
    """Raises ConfigError if it is no finished output, or has none of these videos."""
    out = storage.normalise(out)
    try:
        config = config_in(out)
        rows = {row["video_id"]: row for row in stream_rows(out) if row["video_id"] in video_ids}
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    if any(row["config_fingerprint"] != config.config_fingerprint for row in rows.values()):
        raise ConfigError(f"{out} is in the middle of a --rescore: run its score.py again first")
    if not rows:
        raise _none_labelled(out, video_ids)
    return ScoredOutput(out=out, config=config, rows=rows)


def check_same_content(a: ScoredOutput, b: ScoredOutput) -> None:
    """Raises ConfigError if a video was replaced between the two: they cannot be compared by it."""
    differing = sorted(
        video_id
        for video_id in a.rows.keys() & b.rows.keys()
        if len({rows[video_id]["etag"] for rows in (a.rows, b.rows)} - {None}) > 1
    )
    if differing:
        raise ConfigError(
            f"{a.out} and {b.out} scored different content of "
            f"{counted(len(differing), 'labelled video')} ({named(differing)}): run score.py again "
            "for the older one"
        )


def _none_labelled(out: str, video_ids: Collection[str]) -> ConfigError:
    there = [row["video_id"] for row, _ in zip(stream_rows(out), range(_SHOWN), strict=False)]
    labelled = sorted(video_ids)[:_SHOWN]
    return ConfigError(
        f"none of the videos in {out} ({', '.join(there) or 'it has none'} …) is labelled "
        f"({', '.join(labelled)} …): video ids follow from --videos and --id-key of score.py, so "
        "prepare the labels with the same"
    )
