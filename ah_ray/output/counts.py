"""Counts of what the tables of a cohort hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.output.row import FAILED, PARTIAL
from ah_ray.verdicts.night_figures import NightFigures, figures_by_run


@dataclass(slots=True, kw_only=True)
class Counts:
    """Counts of what the tables of a cohort hold."""

    n_videos: int  # of the cohort
    n_rows: int = 0
    n_removed: int = field(
        default=0, compare=False
    )  # in the previous tables, and no longer in the cohort
    n_clips: int = 0
    duration_s: float = 0.0
    by_status: Counter[str] = field(default_factory=Counter)
    failed_by_kind: Counter[str] = field(default_factory=Counter)
    partial_by_kind: Counter[str] = field(default_factory=Counter)
    by_remark: Counter[str] = field(default_factory=Counter)
    by_run: dict[str, NightFigures] = field(default_factory=dict, compare=False)

    @property
    def n_failed(self) -> int:
        """Return how many videos failed."""
        return self.by_status[FAILED]

    @property
    def n_missing(self) -> int:
        """Return how many videos of the cohort have no row."""
        return self.n_videos - self.n_rows

    def add(self, verdicts: pa.Table, clips: pa.Table) -> None:
        """Count rows of VERDICTS and of CLIPS."""
        self.n_rows += len(verdicts)
        self.n_clips += len(clips)
        self.duration_s += pc.sum(verdicts["duration_s"]).as_py() or 0.0
        self.by_status.update(verdicts["status"].to_pylist())
        self.by_remark.update(pc.list_flatten(verdicts["remarks"]).to_pylist())
        for status, kinds in ((FAILED, self.failed_by_kind), (PARTIAL, self.partial_by_kind)):
            of_status = verdicts.filter(pc.equal(verdicts["status"], status))
            kinds.update(kind for kind in of_status["error_kind"].to_pylist() if kind)
        for run_id, figures in figures_by_run(verdicts, clips).items():
            self.by_run[run_id] = self.by_run.get(run_id, NightFigures()) + figures
