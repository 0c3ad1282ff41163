"""What `--plan` shows: what would be done, how long it may take, what it may cost."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from ah_ray.cli.screen import say
from ah_ray.cohort import Plan, State
from ah_ray.errors import ConfigError
from ah_ray.output.read import read_verdicts
from ah_ray.output.runs import latest_summary
from ah_ray.pipeline.resolve import Resolved
from ah_ray.units import format_bytes, format_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What is known from earlier runs into this OUT; nulls before the first."""

    hours_per_byte: float | None = None
    video_hours_per_hour: float | None = None


def read_experience(out: str) -> Experience:
    """Return it from the tables, and from the last run that scored something."""
    try:
        table = read_verdicts(out, ["duration_s", "size_bytes"]).drop_null()
    except ConfigError:
        return Experience()
    size_bytes = sum(table["size_bytes"].to_pylist())
    hours = sum(table["duration_s"].to_pylist()) / 3600
    last = latest_summary(out, lambda run: run.video_s > 0 and run.wall_s > 0)
    return Experience(
        hours_per_byte=hours / size_bytes if size_bytes else None,
        video_hours_per_hour=last.video_s / last.wall_s if last else None,
    )


def print_plan(console: Console, resolved: Resolved, plan: Plan, out: str) -> None:
    """Print the plan in a few lines."""
    say(console, *plan_lines(resolved, plan, read_experience(out)))


def plan_lines(resolved: Resolved, plan: Plan, known: Experience) -> list[str]:
    """Return the lines of `print_plan`."""
    count = plan.counts
    scoring = resolved.scoring
    lines = [
        f"Cohort      {len(plan.cohort):,} videos, {format_bytes(plan.cohort.size_bytes)}",
        f"Scored by   {scoring.model}, profile {scoring.profile.title}, {scoring.arithmetic}",
        *([f"Profile     {resolved.profile_reason}"] if resolved.profile_reason else []),
        f"Done        {count[State.DONE]:,} scored, {count[State.FAILED]:,} failed for good",
        f"Pending     {len(plan):,}: {count[State.NEW]:,} new, {count[State.CHANGED]:,} changed, "
        f"{count[State.RETRY]:,} failed and to be tried again"
        + (f", {n:,} without the embeddings to be kept" if (n := count[State.BARE]) else "")
        + (f"; {plan.put_off:,} of them put off by --limit" if plan.put_off else ""),
    ]
    if plan.cohort.ignored:
        others = ", ".join(f"{n:,} {end}" for end, n in plan.cohort.ignored.count.most_common(5))
        lines.append(f"Not videos  {others}")
    lines.append(f"Video       {_video(plan, known)}")
    hours = _hours(plan, known)
    lines.append("Time        " + ("known after the first run" if hours is None else _about(hours)))
    cost = resolved.settings.cost_per_hour
    if cost is not None and hours is not None:
        lines.append(f"Cost        about {hours * cost:,.2f} at {cost:g} an hour")
    return [*lines, "Nothing was done: this is a plan."]


def _video(plan: Plan, known: Experience) -> str:
    size = format_bytes(plan.pending_bytes)
    if known.hours_per_byte is None:
        return f"{size} pending; hours are known after the first run"
    return f"{size} pending, about {plan.pending_bytes * known.hours_per_byte:,.1f} hours"


def _hours(plan: Plan, known: Experience) -> float | None:
    if not len(plan):
        return 0.0
    if known.hours_per_byte is None or not known.video_hours_per_hour:
        return None
    return plan.pending_bytes * known.hours_per_byte / known.video_hours_per_hour


def _about(hours: float) -> str:
    return f"about {format_clock(hours * 3600)}, as fast as the last run"
