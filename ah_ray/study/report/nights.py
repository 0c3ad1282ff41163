"""The last two runs side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ah_ray.output.runs import RunSummary, TableCounts
from ah_ray.units import format_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One quantity of both nights, as text."""

    name: str
    before: str
    tonight: str
    change: str  # empty where there is nothing to compare


@dataclass(frozen=True, slots=True, kw_only=True)
class NightComparison:
    """The last run, and the one before it if there is one."""

    run_id: str
    ended_at: datetime
    before_ended_at: datetime | None
    cohort: tuple[Line, ...]  # what the tables held
    work: tuple[Line, ...]  # what the run did
    trouble: bool  # the last run ended early; the reason may hold a path, so it is left out
    n_missing: int  # videos of the cohort that have no row


def compare_nights(summaries: Sequence[RunSummary]) -> NightComparison | None:
    """Return the comparison of an output's last two runs that wrote its tables.

    `summaries` are newest first. None if no run wrote them.
    """
    done = [(run, run.counts) for run in summaries if run.counts is not None]
    if not done:
        return None
    (tonight, counts), before = done[0], done[1][0] if len(done) > 1 else None
    work = (_text_line(name, value, before, tonight) for name, value in _TEXTS)
    return NightComparison(
        run_id=tonight.run_id,
        ended_at=tonight.ended_at,
        before_ended_at=before.ended_at if before else None,
        cohort=tuple(_count_line(name, value, before, tonight) for name, value in _COUNTS),
        work=tuple(line for line in work if line is not None),
        trouble=tonight.trouble is not None,
        n_missing=counts.missing,
    )


def _scored(counts: TableCounts) -> int:
    return counts.by_status.get("ok", 0) + counts.by_status.get("partial", 0)


HOURS, MINUTES = "Hours of video", "Minutes of video"
_COUNTS: tuple[tuple[str, Callable[[TableCounts], float]], ...] = (
    ("Videos in the cohort", lambda counts: counts.videos),
    ("Scored", _scored),
    ("Not scored", lambda counts: counts.by_status.get("failed", 0)),
    ("Without a row", lambda counts: counts.missing),
    (HOURS, lambda counts: counts.duration_s / 3600),
    ("Clips", lambda counts: counts.clips),
)
_TEXTS: tuple[tuple[str, Callable[[RunSummary], str | None]], ...] = (
    ("New that night", lambda run: _number(run.changes.get("new"))),
    ("Changed", lambda run: _number(run.changes.get("changed"))),
    ("Removed", lambda run: _number(run.changes.get("removed"))),
    ("Failed that night", lambda run: _number(run.changes.get("failed"))),
    ("Time it took", lambda run: format_clock(run.wall_s)),
    ("Clips per second", lambda run: _rate(run)),
)


def _count_line(
    name: str,
    value: Callable[[TableCounts], float],
    before: RunSummary | None,
    tonight: RunSummary,
) -> Line:
    now, then = _value_of(value, tonight) or 0, _value_of(value, before)
    if name == HOURS and max(now, then or 0) < 1:
        name, now, then = MINUTES, 60 * now, None if then is None else 60 * then
    return Line(
        name=name,
        before=_number(then) or "–",
        tonight=_number(now) or "–",
        change="" if then is None else _change(now - then),
    )


def _value_of(value: Callable[[TableCounts], float], run: RunSummary | None) -> float | None:
    return None if run is None or run.counts is None else value(run.counts)


def _text_line(
    name: str,
    value: Callable[[RunSummary], str | None],
    before: RunSummary | None,
    tonight: RunSummary,
) -> Line | None:
    """Return the line; None if neither night has the quantity."""
    now, then = value(tonight), None if before is None else value(before)
    if now is None and then is None:
        return None
    return Line(name=name, before=then or "–", tonight=now or "–", change="")


def _rate(run: RunSummary) -> str | None:
    return f"{run.clips_scored / run.wall_s:,.1f}" if run.clips_scored and run.wall_s else None


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _change(by: float) -> str:
    shown = _number(abs(by)) or "0"
    if not float(shown.replace(",", "")):
        return "no change"
    return f"{'+' if by > 0 else '−'}{shown}"
