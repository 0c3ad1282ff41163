"""Prints the status of an output, and the result of a purge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from ah_ray.cli.screen import say
from ah_ray.errors import ErrorKind
from ah_ray.output.runs import RunSummary
from ah_ray.profile import Profile, Sees
from ah_ray.results.purge import REPORT_FILE, PurgeResult
from ah_ray.results.status import Status
from ah_ray.units import format_clock, format_count, format_names
from ah_ray.verdicts.verdict import describe_reduction

_SHORTEST_GPU_H = 0.005


def print_status(console: Console, status: Status) -> None:
    """Print a status, on one screen at most."""
    say(console, *status_lines(status))


def status_lines(status: Status) -> Iterator[str]:
    """Yield the lines of a status."""
    yield f"Output    {status.out}"
    if status.config:
        reduction = describe_reduction(status.config.reduction)
        yield f"Scored by {status.config.describe()}; {reduction}"
        yield from _question_lines(status.config.profiles)
    yield from _cohort_lines(status.runs)
    yield from _work_lines(status)
    if status.runs:
        yield "Last runs ended (UTC)"
        yield from map(_run_line, status.runs)


def _question_lines(profiles: Sequence[Profile]) -> Iterator[str]:
    """Yield what is asked, if that is more than one question."""
    names: dict[str, str] = {}
    for question in (one for profile in profiles for one in profile.complete_questions):
        seen = "" if question.sees is Sees.BOTH else f" ({question.sees})"
        names.setdefault(question.name, question.name + seen)
    if len(names) > 1:
        yield f"Asks      {', '.join(names.values())}"


def _cohort_lines(runs: list[RunSummary]) -> Iterator[str]:
    latest = next(((run, run.counts) for run in runs if run.counts), None)
    if latest is None:
        yield "Cohort    no run has ended yet"
        return
    run, counts = latest
    by_status = ", ".join(
        f"{counts.by_status.get(s, 0):,} {s}" for s in ("ok", "partial", "failed")
    )
    missing = f", {counts.missing:,} without a row" if counts.missing else ""
    yield (
        f"Cohort    {format_count(counts.videos, 'video')}: {by_status}{missing} "
        f"(as of {run.ended_at:%Y-%m-%d %H:%M} UTC)"
    )
    for kind, n in sorted(counts.failed_by_kind.items(), key=lambda pair: -pair[1]):
        yield f"          {n:,} {kind} – {ErrorKind(kind).remedy}"


def _work_lines(status: Status) -> Iterator[str]:
    holder = status.holder
    if holder is None:
        yield "Running   nothing"
        return
    seen = f"last sign of life {format_clock(status.silent_s)} ago"
    if not status.is_running:
        yield f"Running   nothing: {holder} ended without giving up its lease ({seen});"
        yield "          the next run takes it over"
        return
    yield f"Running   {holder}; {seen}"
    if progress := holder.progress:
        yield (
            f"          {progress['stage']}: {progress['videos_done']:,} of "
            f"{progress['videos_total']:,} videos ({progress['videos_failed']:,} failed), "
            f"{progress['clips']:,} clips, {progress['clips_per_s']:.1f}/s, "
            f"{progress['video_h_per_h']:.1f} h of video per hour"
        )
        yield (
            f"          decoders {progress['decoders_busy']:.0%} busy, {progress['replicas']} "
            f"replicas {progress['replicas_busy']:.0%}; ETA {format_clock(status.eta_s)}"
        )


def _run_line(run: RunSummary) -> str:
    rates = run.as_fields()["rates"]
    did = f"{format_count(run.clips_scored, 'clip')} at {rates['clips_per_s'] or 0:.1f}/s"
    parts = [f"exit {int(run.exit_status)}", f"took {format_clock(run.wall_s)}", did]
    parts += [f"{n:,} {what}" for what, n in run.changes.items() if n]
    if run.gpu_hours >= _SHORTEST_GPU_H:
        parts.append(f"{run.gpu_hours:.2f} GPU h")
    if rates["cost"] is not None:
        parts.append(f"cost {rates['cost']:,.2f}")
    if run.trouble:
        parts.append(run.trouble)
    return f"          {run.ended_at:%Y-%m-%d %H:%M} {run.job}: " + ", ".join(parts)


def print_purged(console: Console, out: str, purged: PurgeResult) -> None:
    """Print what was removed, and what the owner still has to do."""
    lines = [
        f"Purged    {len(purged.video_ids):,} of the {format_count(purged.asked, 'video')} named",
        f"Rows      {purged.rows:,} removed; {purged.rows_left:,} left in the tables",
        f"Run files {purged.run_files:,} named one of them, and do so no more",
    ]
    if purged.report:
        lines.append(f"Page      {REPORT_FILE} removed: make it again with jobs/report.py")
    if purged.unknown:
        lines.append(f"No trace  of {len(purged.unknown):,}: {format_names(purged.unknown)}")
    lines.append(
        "To do     take the recordings out of the cohort, or the next run scores them again; purge "
        f"what was formed from {out} by jobs/reduce.py; name folders of jobs/clips.py and "
        "jobs/prepare.py with --also; delete pages of jobs/report.py elsewhere, and storage's own "
        "versions and backups"
    )
    say(console, *lines)
