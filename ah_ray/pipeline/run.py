"""A run, told in order: settings, cohort, lease, work, tables, summary, exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from rich.console import Console

from ah_ray import cluster, logs, storage
from ah_ray import cohort as cohorts
from ah_ray.cohort import Cohort, Plan
from ah_ray.config import Arithmetic, ScoreSettings
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.logs import LogSettings
from ah_ray.media.ffmpeg import ffmpeg_version
from ah_ray.pipeline.capacity import check_gpus
from ah_ray.pipeline.comparison import Comparison
from ah_ray.pipeline.plan_view import print_plan
from ah_ray.pipeline.resolve import Resolved, open_cohort, resolve
from ah_ray.pipeline.stopping import Bounds, Stopper, next_time
from ah_ray.pipeline.sum_up import sum_up, told
from ah_ray.pipeline.summary_view import print_summary
from ah_ray.pipeline.tally import Tally
from ah_ray.pipeline.work import Work, WriteRow
from ah_ray.results.failures import known_failures
from ah_ray.results.lease import Lease
from ah_ray.results.outputs import check, claim
from ah_ray.results.row import Provenance, ah_ray_version
from ah_ray.results.runs import RunSummary, new_run_id, write_summary
from ah_ray.results.spool import Spool
from ah_ray.results.tables import write_tables


def run(settings: ScoreSettings, console: Console | None = None) -> ExitStatus:
    """Scores what is pending, and shows it; returns how the process should exit.

    Raises ConfigError before any replica starts, OutputBusy if another run holds OUT.
    """
    console = console or Console(quiet=settings.log_json)
    if settings.plan:
        print_plan(console, *plan_only(settings))
        return ExitStatus.COMPLETE
    outcome = score(settings, console)
    print_summary(console, outcome.out, outcome.summary, outcome.missing)
    return outcome.summary.exit_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished run: its summary, and what is only for the eyes of who started it."""

    out: str
    summary: RunSummary
    missing: dict[str, str]  # video_id → why it has no row


def plan_only(settings: ScoreSettings) -> tuple[Resolved, Plan, str]:
    """What a run would do. Nothing is written, and no lease is taken."""
    resolved = resolve(settings)
    out = _checked(resolved)
    return resolved, _plan(resolved, out, open_cohort(resolved, out)), out


def score(settings: ScoreSettings, console: Console) -> Outcome:
    """The run itself, with progress but no closing words."""
    started_at = datetime.now(UTC)
    run_id = new_run_id(started_at)
    log = LogSettings(json=settings.log_json, hide_uris=settings.hide_uris, run_id=run_id)
    say = _voice(log, console)
    resolved = resolve(settings)
    out = _checked(resolved)
    storage.check_writable(out)
    stopper = Stopper()
    with cluster.joined():
        if cluster.on_cluster():
            check_gpus(resolved.gpus_per_replica, n_models=len(resolved.models))
        cohort = open_cohort(resolved, out)
        with (
            stopper.listening(say),
            Lease.acquire(out, run_id, say=say) as lease,
            Spool() as spool,
        ):
            claim(
                out,
                resolved.scoring,
                resolved.reduction,
                rescore=settings.rescore,
                hide_uris=settings.hide_uris,
            )
            plan = _plan(resolved, out, cohort)
            logs.event("plan", **told(plan))
            work = _work(resolved, out, lease, console, cohort, log, stopper, spool)
            lease.report = work.report
            trouble = _do(work, plan)
            work.tally.stage = "writing tables"
            counts = write_tables(out, _current(work.cohort, resolved), spool)
            storage.remove(storage.join(out, "videos", name) for name in plan.leftover)
            summary = sum_up(started_at, work, plan, counts, trouble)
            write_summary(out, summary)
            logs.event("summary", **summary.as_fields())
    return Outcome(out=out, summary=summary, missing=work.missing)


def _voice(log: LogSettings, console: Console) -> Callable[[str], None]:
    """How sentences reach who started the run: on the terminal, or as events."""
    if not log.json:
        return console.print
    logs.start(log, sys.stdout)
    return partial(logs.event, "notice")


def _checked(resolved: Resolved) -> str:
    settings = resolved.settings
    out = storage.normalise(settings.out)
    if not cluster.lasts(out):
        raise ConfigError(
            f"--out {settings.out}: that is in the copy of the working directory that Ray made for "
            "this job, and deletes; give a bucket, or a whole path elsewhere"
        )
    storage.check_readable(settings.videos)
    check(
        out,
        resolved.scoring,
        resolved.reduction,
        rescore=settings.rescore,
        hide_uris=settings.hide_uris,
    )
    return out


def _plan(resolved: Resolved, out: str, cohort: Cohort) -> Plan:
    committed = cohorts.committed_names(out)
    return cohorts.plan(
        cohort,
        committed,
        known_failures(out, committed),
        config_fingerprint=resolved.scoring.fingerprint,
        retry_failed=resolved.settings.retry_failed,
        limit=resolved.settings.limit,
    )


def _work(
    resolved: Resolved,
    out: str,
    lease: Lease,
    console: Console,
    cohort: Cohort,
    log: LogSettings,
    stopper: Stopper,
    spool: Spool,
) -> Work:
    settings = resolved.settings
    provenance = Provenance(
        run_id=lease.holder.run_id,
        ah_ray_version=ah_ray_version(),
        ffmpeg_version=ffmpeg_version(),
        hide_uris=settings.hide_uris,
    )
    return Work(
        resolved=resolved,
        out=out,
        write_row=WriteRow(out=out, resolved=resolved, provenance=provenance),
        lease=lease,
        console=console,
        cohort=cohort,
        tally=Tally(total=0),
        log=log,
        stopper=stopper,
        spool=spool,
        bounds=_bounds(settings),
        comparison=_comparison(resolved, out),
    )


def _bounds(settings: ScoreSettings) -> Bounds:
    now = datetime.now().astimezone()
    deadline = settings.deadline and next_time(settings.deadline, now)
    return Bounds(deadline=deadline or None, gpu_hours=settings.gpu_hours)


def _comparison(resolved: Resolved, out: str) -> Comparison | None:
    if resolved.scoring.arithmetic is not Arithmetic.FP8:
        return None
    return Comparison(out=out, config_fingerprint=resolved.scoring.fingerprint)


def _do(work: Work, plan: Plan) -> str | None:
    """Works off the plan; returns why it ended early, if it did."""
    try:
        work.do(list(plan))
    except KeyboardInterrupt as stop:
        return str(stop) or "stopped by a signal"
    return None


def _current(cohort: Cohort, resolved: Resolved) -> Iterator[str]:
    """The names of the rows that this cohort should have."""
    fingerprint = resolved.scoring.fingerprint
    for video in cohort:
        yield cohorts.row_name(video.video_id, video.etag, fingerprint)
