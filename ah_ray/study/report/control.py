"""Figures of all nights of an output, from its run summaries and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.output.runs import RunSummary
from ah_ray.results.drift import Drift, Night, comparable_nights, make_drift
from ah_ray.verdicts.night_figures import figures_by_run


def drift_of(
    summaries: Sequence[RunSummary], verdicts: pa.Table, clips: pa.Table, config_fingerprint: str
) -> Drift | None:
    """Return the charts of all nights in the configuration of the output; None without any.

    Runs that recorded no figures are counted by their rows that are still there. `summaries` are
    newest first; `verdicts` and `clips` are all rows of VERDICTS and CLIPS, with the columns that
    `figures_by_run` reads and scored_at.
    """
    recorded = comparable_nights(summaries)
    known = {run.run_id for run in summaries if run.figures is not None}
    ended = {run.run_id: run.ended_at for run in summaries}
    rows = verdicts.filter(pc.equal(verdicts["config_fingerprint"], config_fingerprint))
    rest = rows.filter(pc.invert(pc.is_in(rows["run_id"], value_set=pa.array(known, pa.string()))))
    of_rest = clips.filter(pc.is_in(clips["video_id"], value_set=rest["video_id"].combine_chunks()))
    counted = [
        Night(
            run_id=run_id, ended_at=ended.get(run_id) or _last_scored(rest, run_id), figures=found
        )
        for run_id, found in figures_by_run(rest, of_rest).items()
    ]
    return make_drift(sorted([*recorded, *counted], key=lambda night: night.ended_at))


def _last_scored(rows: pa.Table, run_id: str) -> datetime:
    last: datetime = pc.max(rows.filter(pc.equal(rows["run_id"], run_id))["scored_at"]).as_py()
    return last
