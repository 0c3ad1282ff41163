"""Figures of the rows that one run wrote: what a control chart compares from night to night."""

from __future__ import annotations

import math
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ah_ray.profile import YES
from ah_ray.validation import FrozenModel


class Moments(FrozenModel):
    """Count, sum and sum of squares of finite numbers: enough for mean and standard deviation."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float | None:
        """Return the mean; None of no numbers."""
        return self.total / self.n if self.n else None

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            n=self.n + other.n,
            total=self.total + other.total,
            squares=self.squares + other.squares,
        )


class NightFigures(FrozenModel):
    """Counts and sums over the rows of one run. Two of them can be added."""

    n_rows: int = 0
    n_scored: int = 0
    n_yes: int = 0
    n_silent: int = 0  # scored without sound, or with a silent one
    n_still: int = 0  # scored with a picture that does not move
    failed_by_kind: dict[str, int] = Field(default_factory=dict)  # videos that were not scored
    p_ah: Moments = Field(default_factory=Moments)  # of videos
    answer_mass: Moments = Field(default_factory=Moments)  # of clips: p(Yes) + p(No)

    @property
    def n_failed(self) -> int:
        """Return how many videos were not scored."""
        return sum(self.failed_by_kind.values())

    def __add__(self, other: NightFigures) -> NightFigures:
        return NightFigures(
            n_rows=self.n_rows + other.n_rows,
            n_scored=self.n_scored + other.n_scored,
            n_yes=self.n_yes + other.n_yes,
            n_silent=self.n_silent + other.n_silent,
            n_still=self.n_still + other.n_still,
            failed_by_kind=dict(Counter(self.failed_by_kind) + Counter(other.failed_by_kind)),
            p_ah=self.p_ah + other.p_ah,
            answer_mass=self.answer_mass + other.answer_mass,
        )


def figures_by_run(verdicts: pa.Table, clips: pa.Table) -> dict[str, NightFigures]:
    """Return run_id → figures of the rows in `verdicts` that this run wrote.

    `verdicts` are rows of VERDICTS (columns: video_id, run_id, error_kind, p_ah, answer, has_audio,
    sound_is_silent, picture_is_still) and `clips` the rows of CLIPS that belong to them (video_id,
    answer_mass). Rows without a run_id are left out.
    """
    place = pc.index_in(clips["video_id"], value_set=verdicts["video_id"].combine_chunks())
    clip_runs = verdicts["run_id"].combine_chunks().take(place.combine_chunks())
    return {
        run_id: _figures(
            verdicts.filter(pc.equal(verdicts["run_id"], run_id)),
            clips["answer_mass"].combine_chunks().filter(pc.equal(clip_runs, run_id)),
        )
        for run_id in verdicts["run_id"].unique().to_pylist()
        if run_id is not None
    }


def _figures(rows: pa.Table, answer_mass: pa.Array) -> NightFigures:
    is_scored = pc.is_finite(pc.fill_null(rows["p_ah"], math.nan))
    scored, failed = rows.filter(is_scored), rows.filter(pc.invert(is_scored))
    silent = pc.or_kleene(pc.invert(scored["has_audio"]), scored["sound_is_silent"])
    return NightFigures(
        n_rows=len(rows),
        n_scored=len(scored),
        n_yes=_count_true(pc.equal(scored["answer"], YES)),
        n_silent=_count_true(silent),
        n_still=_count_true(scored["picture_is_still"]),
        failed_by_kind=dict(
            Counter(kind or "unknown" for kind in failed["error_kind"].to_pylist())
        ),
        p_ah=_moments(scored["p_ah"]),
        answer_mass=_moments(answer_mass),
    )


def _moments(values: pa.Array | pa.ChunkedArray) -> Moments:
    values = values.filter(pc.is_finite(pc.fill_null(values, math.nan)))
    return Moments(
        n=len(values),
        total=float(pc.sum(values).as_py() or 0.0),
        squares=float(pc.sum(pc.multiply(values, values)).as_py() or 0.0),
    )


def _count_true(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py() or 0)
