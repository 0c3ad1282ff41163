"""A status as a person reads it in the morning, or during the night."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from ah_ray.errors import ErrorKind
from ah_ray.results.purge import REPORT_FILE, Purged
from ah_ray.results.runs import RunSummary
from ah_ray.results.status import Status
from ah_ray.results.verdict import in_words
from ah_ray.screen import say
from ah_ray.units import clock, counted, named

_WORTH_TELLING_H = 0.005


def print_status(console: Console, status: Status) -> None:
    """Prints it, a screen at most."""
    say(console, *status_lines(status))


def status_lines(status: Status) -> Iterator[str]:
    yield f"Output    {status.out}"
    if status.config:
        yield f"Scored by {status.config.described()}; {in_words(status.config.reduction)}"
    yield from _cohort(status.runs)
    yield from _work(status)
    if status.runs:
        yield "Last runs ended (UTC)"
        yield from map(_run, status.runs)


def _cohort(runs: list[RunSummary]) -> Iterator[str]:
    latest = next((run for run in runs if run.counts), None)
    if latest is None:
        yield "Cohort    no run has ended yet"
        return
    counts = latest.counts
    by_status = ", ".join(
        f"{counts.by_status.get(s, 0):,} {s}" for s in ("ok", "partial", "failed")
    )
    missing = f", {counts.missing:,} without a row" if counts.missing else ""
    yield (
        f"Cohort    {counted(counts.videos, 'video')}: {by_status}{missing} "
        f"(as of {latest.ended_at:%Y-%m-%d %H:%M} UTC)"
    )
    for kind, n in sorted(counts.failed_by_kind.items(), key=lambda pair: -pair[1]):
        yield f"          {n:,} {kind} – {ErrorKind(kind).mend}"


def _work(status: Status) -> Iterator[str]:
    holder = status.holder
    if holder is None:
        yield "Running   nothing"
        return
    seen = f"last sign of life {clock(status.silent_s)} ago"
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
            f"replicas {progress['replicas_busy']:.0%}; ETA {clock(status.eta_s)}"
        )


def _run(run: RunSummary) -> str:
    rates = run.as_fields()["rates"]
    did = f"{counted(run.clips_scored, 'clip')} at {rates['clips_per_s'] or 0:.1f}/s"
    parts = [f"exit {int(run.exit_status)}", f"took {clock(run.wall_s)}", did]
    parts += [f"{n:,} {what}" for what, n in run.changes.items() if n]
    if run.gpu_hours >= _WORTH_TELLING_H:
        parts.append(f"{run.gpu_hours:.2f} GPU h")
    if rates["cost"] is not None:
        parts.append(f"cost {rates['cost']:,.2f}")
    if run.trouble:
        parts.append(run.trouble)
    return f"          {run.ended_at:%Y-%m-%d %H:%M} {run.job}: " + ", ".join(parts)


def print_purged(console: Console, out: str, purged: Purged) -> None:
    """Says what was removed, and what the owner has still to do."""
    lines = [
        f"Purged    {len(purged.video_ids):,} of the {counted(purged.asked, 'video')} named",
        f"Rows      {purged.rows:,} removed; {purged.rows_left:,} left in both tables",
        f"Run files {purged.run_files:,} named one of them, and do so no more",
    ]
    if purged.report:
        lines.append(f"Page      {REPORT_FILE} removed: make it anew by jobs/report.py")
    if purged.unknown:
        lines.append(f"No trace  of {len(purged.unknown):,}: {named(purged.unknown)}")
    lines.append(
        "To do     take the recordings out of the cohort, or the next run scores them again; purge "
        f"what was formed from {out} by jobs/reduce.py, delete pages of jobs/report.py elsewhere, "
        "and storage's own versions and backups"
    )
    say(console, *lines)
