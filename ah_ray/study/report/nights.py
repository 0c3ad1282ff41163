"""Tonight against last night: two run summaries side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ah_ray.results.runs import RunSummary
from ah_ray.units import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One quantity of both nights, ready to be read."""

    name: str
    before: str
    tonight: str
    change: str  # empty where it says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """The last run, and the one before it if there was one."""

    run_id: str
    ended_at: datetime
    before_ended_at: datetime | None
    cohort: tuple[Line, ...]  # what the tables held
    work: tuple[Line, ...]  # what the run did
    trouble: bool  # the last run ended early; why may name a place, so it is not told here
    n_missing: int  # videos of the cohort that have no row


def nights(summaries: Sequence[RunSummary]) -> Nights | None:
    """Of an output's last runs, newest first; None if none of them got as far as its tables."""
    done = [summary for summary in summaries if summary.counts is not None]
    if not done:
        return None
    tonight, before = done[0], done[1] if len(done) > 1 else None
    work = (_plain(name, value, before, tonight) for name, value in _PLAIN)
    return Nights(
        run_id=tonight.run_id,
        ended_at=tonight.ended_at,
        before_ended_at=before and before.ended_at,
        cohort=tuple(_counted(name, value, before, tonight) for name, value in _COUNTED),
        work=tuple(line for line in work if line is not None),
        trouble=tonight.trouble is not None,
        n_missing=tonight.counts.missing,
    )


def _scored(run: RunSummary) -> int:
    return run.counts.by_status.get("ok", 0) + run.counts.by_status.get("partial", 0)


HOURS, MINUTES = "Hours of video", "Minutes of video"
_COUNTED: tuple[tuple[str, Callable[[RunSummary], float | None]], ...] = (
    ("Videos in the cohort", lambda run: run.counts.videos),
    ("Scored", _scored),
    ("Not scored", lambda run: run.counts.by_status.get("failed", 0)),
    ("Without a row", lambda run: run.counts.missing),
    (HOURS, lambda run: run.counts.duration_s / 3600),
    ("Clips", lambda run: run.counts.clips),
)
_PLAIN: tuple[tuple[str, Callable[[RunSummary], str | None]], ...] = (
    ("New that night", lambda run: _number(run.changes.get("new"))),
    ("Changed", lambda run: _number(run.changes.get("changed"))),
    ("Removed", lambda run: _number(run.changes.get("removed"))),
    ("Failed that night", lambda run: _number(run.changes.get("failed"))),
    ("Time it took", lambda run: clock(run.wall_s)),
    ("Clips per second", lambda run: _rate(run)),
)


def _counted(
    name: str,
    value: Callable[[RunSummary], float | None],
    before: RunSummary | None,
    tonight: RunSummary,
) -> Line:
    now, then = value(tonight), None if before is None else value(before)
    if name == HOURS and max(now, then or 0) < 1:
        name, now, then = MINUTES, 60 * now, None if then is None else 60 * then
    return Line(
        name=name,
        before=_number(then) or "–",
        tonight=_number(now) or "–",
        change="" if then is None else _change(now - then),
    )


def _plain(
    name: str,
    value: Callable[[RunSummary], str | None],
    before: RunSummary | None,
    tonight: RunSummary,
) -> Line | None:
    """None if neither night tells."""
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
    shown = _number(abs(by))
    if not float(shown.replace(",", "")):
        return "no change"
    return f"{'+' if by > 0 else '−'}{shown}"
