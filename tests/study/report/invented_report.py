"""Outputs of invented videos for pages: a large one, one with labels, one with hostile names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from invented_rows import make_output, row, scoring
from study.invented_study import Study, make_scores, make_study

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.errors import ErrorKind
from ah_ray.output.config import claim_output
from ah_ray.output.runs import RunSummary, TableCounts, write_summary
from ah_ray.output.table_files import CLIPS_FILE, VERDICTS_FILE
from ah_ray.output.tables import flat_clips
from ah_ray.profile import load_profile
from ah_ray.records import VERDICT, VERDICTS
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.study.report.make import make_report
from ah_ray.study.report.settings import ReportSettings

HOSTILE = (
    "</script></title></style><script>window.hit=1</script><img src=x onerror=window.hit=1>"
    "\"'`&amp;{{7*7}}<!--\u2028\u2029]]>"
)
LARGE = 10_000
LAST_NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)


def make_night(
    out: str, run_id: str, *, days_before: int, videos: int, failed: int, missing: int = 0
) -> None:
    """The summary of a run that left so many videos."""
    started = LAST_NIGHT - timedelta(days=days_before)
    counts = TableCounts(
        videos=videos + missing,
        rows=videos,
        missing=missing,
        clips=4 * videos,
        duration_s=20.0 * videos,
        by_status={"ok": videos - failed, "failed": failed},
        failed_by_kind={"decode": failed},
        partial_by_kind={},
    )
    write_summary(
        out,
        RunSummary(
            run_id=run_id,
            started_at=started,
            ended_at=started + timedelta(minutes=48),
            exit_status=0,
            counts=counts,
            changes={"new": 40, "changed": 2, "removed": 1, "failed": failed},
            clips_scored=160,
        ),
    )


def make_labelled(folder: Path) -> tuple[str, Study]:
    """An output, its labels, and two nights."""
    study = make_study(folder / "labels", {"train": 2, "val": 15, "test": 20})
    out = make_scores(folder / "scores", study)
    make_night(out, "run-0", days_before=1, videos=120, failed=2)
    make_night(out, "run-1", days_before=0, videos=160, failed=3)
    return out, study


VISITS = """video_id,participant,visit,question
a1,anna,2026-01-01,why
a2,anna,2026-01-01,how
a3,anna,2026-01-15,why
a4,anna,2026-04-20,why
a5,anna,2026-05-04,why
b1,bert,2026-01-03,why
"""
"""Anna's third visit is missing; one of her videos cannot be scored. Nobody knows whose c is."""


def make_visits(folder: Path) -> Path:
    """The page of an output whose participants have visits at dates."""
    out, table = str(folder / "scores"), folder / "visits.csv"
    videos = {
        "a1": [0.9, 0.2],
        "a2": [0.1],
        "a3": ErrorKind.DECODE,
        "a4": [0.3, 0.4, 0.1],
        "a5": [0.7],
        "b1": [0.2],
        "c": [0.3],
    }
    make_output(out, videos)
    table.write_text(VISITS)
    made = make_report(
        ReportSettings(out=out, participants=str(table), plain_participants=True, title="Pilot")
    )
    return Path(made.file)


def make_hostile(folder: Path, **settings: object) -> Path:
    """The page of an output in which everything that can be named has a hostile name."""
    out = str(folder / "scores")
    by = scoring(f"models\u2028{HOSTILE}".replace("/", "∕"))
    profile = load_profile("tiny").model_copy(update={"name": "<img src=x onerror=window.hit=1>"})
    by = by.model_copy(update={"profile": profile})
    videos = {f"video-{n}": [0.9, 0.1] for n in range(12)} | {"broken": ErrorKind.REFUSED}
    uri, error = f"/cohort/{HOSTILE}.mp4", f"refused: {HOSTILE}"
    make_output(out, videos, by=by, uri=uri, error=error)
    _as_they_were(out, error)
    labels = [
        {
            "uri": uri,
            "video_id": name,
            "label": place % 2,
            "duration_s": 10.0,
            "participant_id": f"person-{place}",
            "split": "test",
            "segments": [],
            "gender": HOSTILE,
        }
        for place, name in enumerate(videos)
    ]
    table = pa.Table.from_pylist(labels, schema=LABELLED_VIDEOS)
    about = {"data_fingerprint": HOSTILE}
    write_labels(str(folder / "labels"), WINDOWS.empty_table(), table, about)
    made = make_report(
        ReportSettings(
            out=out,
            labels=str(folder / "labels"),
            title=HOSTILE,
            draws=100,
            **{"link_videos": True} | settings,
        )
    )
    return Path(made.file)


def _as_they_were(out: str, error: str) -> None:
    """Rows hold errors on one line; another writer's may not."""
    path = Path(out) / VERDICTS_FILE
    table = pq.read_table(path)
    errors = [error if kind else None for kind in table["error_kind"].to_pylist()]
    place = table.column_names.index("error")
    pq.write_table(table.set_column(place, "error", pa.array(errors, pa.string())), path)


def make_large(out: Path, n_videos: int) -> str:
    """As many videos as that, 1 to 12 clips each, a fiftieth failed; its tables alone."""
    random = np.random.default_rng(0)
    by = scoring()
    claim_output(str(out), by, Reduction())
    rows = []
    for place in range(n_videos):
        scores = random.beta(0.7, 1.4, size=random.integers(1, 13)).tolist()
        bad = place % 50 == 0
        rows.append(row(f"{place:016x}", ErrorKind.DECODE if bad else scores, by=by))
    whole = pa.Table.from_pylist(rows, schema=VERDICT)
    for name, table in (
        (VERDICTS_FILE, whole.select(VERDICTS.names)),
        (CLIPS_FILE, flat_clips(whole.combine_chunks())),
    ):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        storage.write_whole(storage.join(str(out), name), sink.getvalue().to_pybytes())
    return str(out)
