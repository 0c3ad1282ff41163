"""The rows of an output that belong to labelled videos, with their timelines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.output.stream import stream_rows
from ah_ray.profile import YES
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.units import format_count, format_names
from ah_ray.verdicts.reduction import Reduction
from ah_ray.verdicts.verdict import with_verdict

Row = dict[str, Any]
NO_ROW, NOT_ASKED = "no row", "not asked"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredOutput:
    """An output, with those of its rows whose videos are labelled."""

    out: str
    config: OutputConfig
    rows: dict[str, Row]  # video_id → its row of records.VERDICT

    def reason(self, video_id: str) -> str | None:
        """Return why a video has no verdict: `no row`, or its error kind; None if it has one.

        A further question may be `not asked`, by a model of an ensemble.
        """
        row = self.rows.get(video_id)
        if row is None:
            return NO_ROW
        return str(row["error_kind"] or NOT_ASKED) if row["p_ah"] is None else None

    def predictions(self, videos: Sequence[Row], reduction: Reduction | None = None) -> Predictions:
        """Return the verdicts of rows of LABELLED_VIDEOS beside their labels.

        They are those of the output, or those that `reduction` forms from the same clips.
        """
        rows = [self.rows.get(video["video_id"]) for video in videos]
        if reduction is not None:
            rows = [with_verdict(row, reduction) if row else None for row in rows]
        return Predictions.of(
            [video["label"] == 1 for video in videos],
            [row["p_ah"] if row else None for row in rows],
            [row is not None and row["answer"] == YES for row in rows],
            number_participants(video["participant_id"] for video in videos),
        )

    def plain(self, reducer: str) -> Reduction:
        """Return that reducer at 0.5, without calibration; several models stay combined."""
        return Reduction(reducer=reducer, ensemble=self.config.reduction.ensemble)


def number_participants(participants: Iterable[object]) -> npt.NDArray[np.int64]:
    """Return a number for each participant [n]; the same participant has the same number."""
    _, numbers = np.unique(np.array(list(participants), dtype=str), return_inverse=True)
    return numbers.astype(np.int64)


def read_output(out: str, video_ids: Collection[str]) -> ScoredOutput:
    """Return the rows of these videos.

    Raise ConfigError if `out` is no finished output, or has none of these videos.
    """
    out = storage.normalise(out)
    try:
        config = require_config(out)
        rows = {row["video_id"]: row for row in stream_rows(out) if row["video_id"] in video_ids}
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    if any(row["config_fingerprint"] != config.config_fingerprint for row in rows.values()):
        raise ConfigError(f"{out} is in the middle of a --rescore: run its score.py again first")
    if not rows:
        raise _none_labelled(out, video_ids)
    return ScoredOutput(out=out, config=config, rows=rows)


def check_same_content(a: ScoredOutput, b: ScoredOutput) -> None:
    """Raise ConfigError if the two scored different content of the same video."""
    differing = sorted(
        video_id
        for video_id in a.rows.keys() & b.rows.keys()
        if len({rows[video_id]["etag"] for rows in (a.rows, b.rows)} - {None}) > 1
    )
    if differing:
        raise ConfigError(
            f"{a.out} and {b.out} scored different content of "
            f"{format_count(len(differing), 'labelled video')} ({format_names(differing)}): run "
            "score.py again for the older one"
        )


def _none_labelled(out: str, video_ids: Collection[str]) -> ConfigError:
    there = [row["video_id"] for row, _ in zip(stream_rows(out), range(_SHOWN), strict=False)]
    labelled = sorted(video_ids)[:_SHOWN]
    return ConfigError(
        f"none of the videos in {out} ({', '.join(there) or 'it has none'} …) is labelled "
        f"({', '.join(labelled)} …): video ids follow from --videos and --id-key of score.py, so "
        "prepare the labels with the same"
    )
