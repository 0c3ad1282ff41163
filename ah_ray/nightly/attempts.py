"""One night's attempts at a cohort: what to do next, and when to try again. Pure.

An attempt is a job of the cluster, called `<cohort>-<date>-<number>`: so whoever starts the night a
second time meets the first, and follows it or learns how it ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.output.runs import RunSummary

MOST_ATTEMPTS = 2
"""Of a night, by itself: what fails twice for want of machines needs a person."""

_COHORT = re.compile(r"[A-Za-z0-9._-]{1,48}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A cohort and a date."""

    cohort: str
    date: date

    def __post_init__(self) -> None:
        if not _COHORT.fullmatch(self.cohort):
            raise ConfigError(
                f"--cohort {self.cohort}: give a name of letters, digits, '.', '_' and '-', 48 at "
                "most; it becomes part of the job's id"
            )

    def attempt(self, number: int) -> str:
        return f"{self.cohort}-{self.date:%Y%m%d}-{number}"

    def number(self, attempt: str) -> int | None:
        """Return the number of the attempt of this night with that id; None if there is none."""
        match = re.fullmatch(re.escape(self.attempt(0)[:-1]) + r"(\d+)", attempt)
        return int(match[1]) if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The state of an attempt."""

    running: bool
    exit_code: int | None = None  # of the driver; null while it runs, or if it was lost
    stopped: bool = False  # by `ray job stop`
    bounded: bool = False  # it ended at a deadline, a budget or a limit that was set

    @property
    def may_pass(self) -> bool:
        """Whether machines or storage failed, so that the same command may succeed."""
        if self.running or self.stopped:
            return False
        if self.exit_code == ExitStatus.MISSING_ROWS:
            return not self.bounded
        return self.exit_code not in set(ExitStatus)

    @property
    def exit_status(self) -> int:
        """The exit status of the night: that of the driver, or 3 if the driver was lost."""
        if self.exit_code is not None and self.exit_code in set(ExitStatus):
            return self.exit_code
        return ExitStatus.MISSING_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What comes next: follow an attempt, make a new one, or end with the last."""

    number: int
    submit: bool = False
    follow: bool = False


def next_step(known: Mapping[int, Attempt], *, again: bool = False) -> Step:
    """Return the next step after the known attempts, by number. `again`: make one more."""
    if not known:
        return Step(number=1, submit=True, follow=True)
    last = max(known)
    if known[last].running:
        return Step(number=last, follow=True)
    if again or (known[last].may_pass and last < MOST_ATTEMPTS):
        return Step(number=last + 1, submit=True, follow=True)
    return Step(number=last)


def ended_at_bound(summary: RunSummary | None) -> bool:
    """Return whether a run left rows for the next one because of a bound that was set."""
    if summary is None:
        return False
    return summary.bounded or bool(summary.plan.get("put off"))
