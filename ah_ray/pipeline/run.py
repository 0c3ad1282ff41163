"""A run, told in order: settings, cohort, lease, work, tables, summary, exit status."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from rich.console import Console

from ah_ray import cohort as cohorts
from ah_ray import storage
from ah_ray.cohort import Cohort, Plan
from ah_ray.config import Arithmetic, ScoreSettings
from ah_ray.exit_status import ExitStatus, final_status
from ah_ray.media.ffmpeg import ffmpeg_version
from ah_ray.pipeline.comparison import Comparison
from ah_ray.pipeline.plan_view import print_plan
from ah_ray.pipeline.progress import Tally
from ah_ray.pipeline.resolve import Resolved, resolve
from ah_ray.pipeline.stopping import stoppable
from ah_ray.pipeline.summary_view import print_summary
from ah_ray.pipeline.work import Work, WriteRow, open_cohort
from ah_ray.results.lease import Lease
from ah_ray.results.outputs import check, claim
from ah_ray.results.row import Provenance, ah_ray_version
from ah_ray.results.runs import RunSummary, TableCounts, new_run_id, write_summary
from ah_ray.results.tables import Counts, known_failures, write_tables


def run(settings: ScoreSettings, console: Console | None = None) -> ExitStatus:
    """Scores what is pending, and shows it; returns how the process should exit.

    Raises ConfigError before any replica starts, OutputBusy if another run holds OUT.
    """
    console = console or Console()
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
    resolved = resolve(settings)
    out = _checked(resolved)
    storage.check_writable(out)
    cohort = open_cohort(resolved, out)
    run_id = new_run_id(started_at)
    with stoppable(console.print), Lease.acquire(out, run_id, say=console.print) as lease:
        claim(
            out,
            resolved.scoring,
            settings.reduction,
            rescore=settings.rescore,
            hide_uris=settings.hide_uris,
        )
        plan = _plan(resolved, out, cohort)
        work = _work(resolved, out, run_id, lease, console, cohort)
        trouble = _do(work, plan)
        counts = write_tables(out, _current(work.cohort, resolved))
        storage.remove(storage.join(out, "videos", name) for name in plan.leftover)
        summary = _summary(started_at, run_id, work, plan, counts, trouble)
        write_summary(out, summary)
    return Outcome(out=out, summary=summary, missing=work.missing)


def _checked(resolved: Resolved) -> str:
    settings = resolved.settings
    out = storage.normalise(settings.out)
    storage.check_readable(settings.videos)
    check(
        out,
        resolved.scoring,
        settings.reduction,
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
    resolved: Resolved, out: str, run_id: str, lease: Lease, console: Console, cohort: Cohort
) -> Work:
    provenance = Provenance(
        run_id=run_id,
        ah_ray_version=ah_ray_version(),
        ffmpeg_version=ffmpeg_version(),
        hide_uris=resolved.settings.hide_uris,
    )
    return Work(
        resolved=resolved,
        out=out,
        write_row=WriteRow(out=out, resolved=resolved, provenance=provenance),
        lease=lease,
        console=console,
        cohort=cohort,
        tally=Tally(total=0),
        comparison=_comparison(resolved, out),
    )


def _comparison(resolved: Resolved, out: str) -> Comparison | None:
    if resolved.scoring.arithmetic is not Arithmetic.FP8:
        return None
    return Comparison(out=out, config_fingerprint=resolved.scoring.fingerprint)


def _do(work: Work, plan: Plan) -> str | None:
    """Works off the plan; returns why it ended early, if it did."""
    try:
        work.do(list(plan))
    except KeyboardInterrupt:
        return "stopped by a signal"
    return None


def _current(cohort: Cohort, resolved: Resolved) -> Iterator[str]:
    """The names of the rows that this cohort should have."""
    fingerprint = resolved.scoring.fingerprint
    for video in cohort:
        yield cohorts.row_name(video.video_id, video.etag, fingerprint)


def _summary(
    started_at: datetime, run_id: str, work: Work, plan: Plan, counts: Counts, trouble: str | None
) -> RunSummary:
    settings, tally = work.resolved.settings, work.tally
    status = final_status(
        n_videos=counts.n_videos,
        n_rows=counts.n_rows,
        n_failed=counts.n_failed,
        max_failed=settings.max_failed,
    )
    paths = {"videos", "out", "model", "adapter", "model_cache", "profile"}
    hidden = {"id_key", *(paths if settings.hide_uris else ())}
    return RunSummary(
        run_id=run_id,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        exit_status=ExitStatus.MISSING_ROWS if trouble else status,
        trouble=trouble,
        config_fingerprint=work.resolved.scoring.fingerprint,
        settings=settings.model_dump(mode="json", exclude=hidden),
        versions=_versions(),
        counts=TableCounts.of(counts),
        plan={state.value: n for state, n in plan.counts.items()} | {"put off": plan.put_off},
        ignored_endings=dict(work.cohort.ignored.count),
        videos_done=tally.done,
        clips_scored=tally.n_clips,
        video_s=tally.video_s,
        stage_s={"decode": tally.decode_s, "score": tally.score_s},
        n_decoders=tally.n_decoders,
        n_replicas=tally.n_replicas,
        storage_retries=storage.retries(),
        cost_per_hour=settings.cost_per_hour,
        difference_from_bf16=work.comparison and work.comparison.found(),
    )


def _versions() -> dict[str, str]:
    packages = ("ray", "torch", "transformers", "pyarrow", "s3fs")
    return {
        "ah_ray": ah_ray_version(),
        "ffmpeg": ffmpeg_version(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
