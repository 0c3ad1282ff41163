"""The end of a run: tables, old rows, and the summary, even if one of these steps fails.

Each step first confirms the lease. What storage or the temporary disk refuses is the run's trouble,
which its summary tells, and not its end; a lost lease is its end, and nothing more is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from ah_ray import cohort as cohorts
from ah_ray import storage
from ah_ray.cohort import Cohort, Plan
from ah_ray.errors import StorageError
from ah_ray.output.counts import Counts
from ah_ray.output.embeddings.files import remove_orphans
from ah_ray.output.lease import Lease
from ah_ray.output.row_files import files_of_rows
from ah_ray.output.runs import RunSummary, write_summary
from ah_ray.output.spool import Spool
from ah_ray.output.tables import write_tables
from ah_ray.pipeline.reporting.run_summary import summarize_run
from ah_ray.pipeline.resolve import Resolved
from ah_ray.pipeline.work import Work


def finish_run(
    work: Work, plan: Plan, spool: Spool, started_at: datetime, trouble: str | None
) -> RunSummary:
    """Write what the run leaves in OUT; `trouble` is why its work ended early, if it did.

    Raise OutputBusy or StorageError if the lease is lost, and StorageError if the summary itself
    cannot be written.
    """
    counts: Counts | None = None

    def tables() -> None:
        nonlocal counts
        current = _current(work.cohort, work.resolved)
        counts = write_tables(
            work.out, current, spool, work.lease.confirm, work.cohort.from_manifest
        )

    def leftovers() -> None:
        names = [*plan.leftover, *_replaced(work, plan)]
        if names:
            work.lease.confirm()
            storage.remove(files_of_rows(work.out, names))
        remove_orphans(work.out, work.lease.confirm)

    work.tally.stage = "writing tables"
    problems = [trouble, *(_problem(step, work.lease) for step in (tables, leftovers))]
    trouble = "; ".join(problem for problem in problems if problem)
    summary = summarize_run(started_at, work, plan, counts, trouble or None)
    work.lease.confirm()
    write_summary(work.out, summary)
    work.lease.confirm()  # else what it has just written is already under another run's hands
    return summary


def _problem(step: Callable[[], None], lease: Lease) -> str | None:
    """Return why a step failed, or None."""
    try:
        step()
    except StorageError as error:
        lease.check()  # a lost lease is no trouble of this step
        return str(error)
    return None


def _replaced(work: Work, plan: Plan) -> Iterator[str]:
    """Yield rows that this run has replaced, and that could not be removed before."""
    stale = {video.video_id: video.stale for video in plan if video.stale}
    if not stale:
        return
    there = cohorts.committed_names(work.out)
    for video in work.cohort:
        if video.video_id in stale:
            names = there.get(video.video_id, ())
            row = cohorts.row_name(video.video_id, video.etag, work.resolved.scoring.fingerprint)
            if row in names:
                yield from (name for name in stale[video.video_id] if name in names and name != row)


def _current(cohort: Cohort, resolved: Resolved) -> Iterator[str]:
    """Yield the names of the rows that this cohort should have."""
    fingerprint = resolved.scoring.fingerprint
    for video in cohort:
        yield cohorts.row_name(video.video_id, video.etag, fingerprint)
