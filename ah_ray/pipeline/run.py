"""A run in its order: settings, cohort, lease, work, tables, summary, exit status."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.console import Console

from ah_ray import cluster, logs, storage
from ah_ray import cohort as cohorts
from ah_ray.cli import screen
from ah_ray.cohort import Cohort, Plan
from ah_ray.config import ScoreSettings
from ah_ray.errors import ConfigError, StorageError
from ah_ray.exit_status import ExitStatus
from ah_ray.installation import ah_ray_version
from ah_ray.interfaces.callbacks import MessageCallback, ignore_message
from ah_ray.logs import LogSettings
from ah_ray.media.libav_version import libav_version
from ah_ray.media.sandbox.cage import describe_missing, missing_guards
from ah_ray.naming import hide_names, hide_paths
from ah_ray.output.config import check_config, claim_output
from ah_ray.output.embeddings.files import kept_names
from ah_ray.output.lease import Lease
from ah_ray.output.lease_guard import make_guard
from ah_ray.output.row import Provenance
from ah_ray.output.runs import RunSummary, new_run_id
from ah_ray.output.spool import Spool
from ah_ray.pipeline.capacity import check_gpus
from ah_ray.pipeline.comparison import Comparison
from ah_ray.pipeline.finish import finish_run
from ah_ray.pipeline.reporting.plan_view import print_plan
from ah_ray.pipeline.reporting.run_summary import plan_fields
from ah_ray.pipeline.reporting.summary_view import print_summary
from ah_ray.pipeline.reporting.tally import Tally
from ah_ray.pipeline.resolve import Resolved, open_cohort, resolve
from ah_ray.pipeline.stopping import Bounds, Stopper, next_time
from ah_ray.pipeline.work import Work, WriteRow
from ah_ray.results.failures import read_failures
from ah_ray.temporary import remove_abandoned_folders


def run(settings: ScoreSettings, console: Console | None = None) -> ExitStatus:
    """Score what is pending and print the outcome. Return the exit status of the process.

    Raise ConfigError before any replica starts, OutputBusy if another run holds OUT.
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
    """A finished run: its summary, and reasons that only its own terminal shows."""

    out: str
    summary: RunSummary
    missing: dict[str, str]  # video_id → why it has no row


def plan_only(settings: ScoreSettings) -> tuple[Resolved, Plan, str]:
    """Return what a run would do. Nothing is written, and no lease is taken."""
    resolved = resolve(settings)
    out = _check_output(resolved)
    return resolved, _plan(resolved, out, open_cohort(resolved, out)), out


def score(settings: ScoreSettings, console: Console) -> Outcome:
    """Score what is pending, with progress on the console. Return the outcome."""
    started_at = datetime.now(UTC)
    run_id = new_run_id(started_at)
    log = LogSettings(json=settings.log_json, hide_uris=settings.hide_uris, run_id=run_id)
    hide_names(settings.hide_uris)
    say = _notice_function(log, console)
    remove_abandoned_folders()
    resolved = resolve(settings)
    if resolved.profile_reason:
        say(f"profile {resolved.scoring.profile.name}: {resolved.profile_reason}")
    out = _check_output(resolved)
    storage.check_writable(out)
    stopper = Stopper()
    with cluster.join_cluster():
        _check_cage(settings)
        if cluster.on_cluster():
            check_gpus(resolved.gpus_per_replica, n_models=len(resolved.models))
        cohort = open_cohort(resolved, out)
        with (
            stopper.listening(say),
            _lease(settings, out, run_id, say) as lease,
            Spool() as spool,
        ):
            claim_output(
                out,
                resolved.scoring,
                resolved.reduction,
                rescore=settings.rescore,
                hide_uris=settings.hide_uris,
                learned_from=resolved.learned_from,
                confirm=lease.confirm,
            )
            plan = _plan(resolved, out, cohort, say)
            fields: dict[str, Any] = plan_fields(plan)
            logs.event("plan", **fields)
            work = _work(resolved, out, lease, console, cohort, log, stopper, spool)
            lease.report = work.report
            summary = finish_run(work, plan, spool, started_at, _run_work(work, plan))
            logs.event("summary", **summary.as_fields())
    missing = {video_id: hide_paths(why) for video_id, why in work.missing.items()}
    hide_names(False)
    return Outcome(out=out, summary=summary, missing=missing)


def _lease(settings: ScoreSettings, out: str, run_id: str, say: MessageCallback) -> Lease:
    if settings.no_lease:
        say(f"No lease on {out} (--no-lease): make sure that no other run writes there.")
        return Lease.without(out, run_id)
    return Lease.acquire(out, run_id, say=say)


def _check_cage(settings: ScoreSettings) -> None:
    """Raise ConfigError if this machine, which decodes, lacks what `--require-cage` asks for."""
    missing = missing_guards()
    if settings.require_cage and missing and not cluster.on_cluster():
        raise ConfigError(f"--require-cage: {describe_missing(missing)}")


def _notice_function(log: LogSettings, console: Console) -> MessageCallback:
    """Return the function that prints notices, or logs them as events."""
    if not log.json:
        return lambda text: screen.say(console, hide_paths(text))
    logs.start(log, sys.stdout)
    return partial(logs.event, "notice")


def _check_output(resolved: Resolved) -> str:
    settings = resolved.settings
    out = storage.normalise(settings.out)
    if not cluster.is_permanent(out):
        raise ConfigError(
            f"--out {settings.out}: that is in the copy of the working directory that Ray made for "
            "this job, and deletes; give a bucket, or a whole path elsewhere"
        )
    storage.check_readable(settings.videos)
    check_config(
        out,
        resolved.scoring,
        resolved.reduction,
        rescore=settings.rescore,
        hide_uris=settings.hide_uris,
    )
    return out


def _plan(
    resolved: Resolved, out: str, cohort: Cohort, say: MessageCallback = ignore_message
) -> Plan:
    committed = cohorts.committed_names(out)
    return cohorts.make_plan(
        cohort,
        committed,
        read_failures(out, committed, say),
        config_fingerprint=resolved.scoring.fingerprint,
        retry_failed=resolved.settings.retry_failed,
        limit=resolved.settings.limit,
        kept=kept_names(out) if resolved.settings.keep_embeddings else None,
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
        ffmpeg_version=libav_version(),
        hide_uris=settings.hide_uris,
    )
    return Work(
        resolved=resolved,
        out=out,
        write_row=WriteRow(
            out=out, resolved=resolved, provenance=provenance, guard=make_guard(lease)
        ),
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
    if not resolved.scoring.arithmetic.is_fp8:
        return None
    return Comparison(out=out, config_fingerprint=resolved.scoring.fingerprint)


def _run_work(work: Work, plan: Plan) -> str | None:
    """Do the work of the plan. Return why it ended early, or None."""
    try:
        work.do(list(plan))
    except KeyboardInterrupt as stop:
        return str(stop) or "stopped by a signal"
    except StorageError as error:
        work.lease.check()  # without it nothing more may be written
        return str(error)
    return None
