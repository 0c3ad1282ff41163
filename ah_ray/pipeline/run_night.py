"""A night: score.py as a job of the cluster, followed to its end; once more if machines fail."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ray.job_submission import JobDetails
from rich.console import Console

from ah_ray.config import ScoreSettings
from ah_ray.errors import ConfigError, StorageError
from ah_ray.exit_status import ExitStatus
from ah_ray.pipeline import notify
from ah_ray.pipeline.job_server import HeadGone, JobServer, is_over, was_stopped
from ah_ray.pipeline.night import Attempt, Night, ended_as_told, next_step
from ah_ray.pipeline.stopping import next_time
from ah_ray.results.lease import read_holder
from ah_ray.results.runs import RunSummary, latest_summary

_FORWARDED = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")
"""Where the store is; who may use it is the cluster's own affair (instance roles)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSettings:
    """What a night is made of."""

    night: Night
    address: str  # of the head's dashboard
    arguments: tuple[str, ...]  # of score.py
    score: ScoreSettings  # the same, parsed
    working_dir: Path
    deadline: str | None = None  # HH:MM here
    gpu_hours: float | None = None
    notify: str | None = None
    again: bool = False


def run_night(settings: NightSettings, console: Console) -> int:
    """Returns the exit status of the driver, or 3 if that was lost. Raises ConfigError."""
    if settings.notify:
        notify.check_url(settings.notify)
    run = _Run(settings, console)
    try:
        status = run.to_its_end()
    except HeadGone as error:
        console.print(f"{error}. What is scored is kept: start the night again", soft_wrap=True)
        status = ExitStatus.MISSING_ROWS
    run.tell(status)
    return status


class _Run:
    """One night while it goes on."""

    def __init__(self, settings: NightSettings, console: Console):
        self._settings = settings
        self._console = console
        self._began = datetime.now(UTC)
        self._server = JobServer(settings.address)
        now = datetime.now().astimezone()
        self._deadline = next_time(settings.deadline, now) if settings.deadline else None
        self._last = settings.night.attempt(1)

    def to_its_end(self) -> int:
        known, again = self._known(), self._settings.again
        if (step := next_step(known, again=again)).number in known and not step.follow:
            status = known[step.number].exit_status
            self._say(
                f"{self._settings.night.attempt(step.number)} has ended already, with exit status "
                f"{status}; --again makes another attempt"
            )
        while step.follow:
            self._last = self._settings.night.attempt(step.number)
            if step.submit and not self._submit(step.number):
                return ExitStatus.MISSING_ROWS
            self._server.follow(self._last, self._pass_on)
            known = self._known()
            known.setdefault(step.number, Attempt(running=False))  # lost with its head
            step = next_step(known)
            if step.submit:
                self._say(f"{self._last} ended for want of machines or storage: trying once more")
        return known[step.number].exit_status

    def tell(self, status: int) -> None:
        """To the terminal and, where that is wanted, to a URL."""
        settings, summary = self._settings, self.summary()
        cohort = settings.night.cohort
        self._say(notify.news_text(cohort, status, summary))
        if settings.notify:
            problem = notify.post(settings.notify, notify.news(cohort, self._last, status, summary))
            if problem:
                self._say(problem)

    def summary(self) -> RunSummary | None:
        """Of the last run into this OUT that began with this night; null if there is none."""
        try:
            return latest_summary(
                self._settings.score.out, lambda run: run.started_at >= self._since(), look_at=5
            )
        except (StorageError, ConfigError):
            return None

    def _since(self) -> datetime:
        """When the first attempt of this night was submitted."""
        starts = [job.start_time for number, job in self._jobs().items() if job.start_time]
        first = min(starts, default=None)
        return datetime.fromtimestamp(first / 1000, UTC) if first else self._began

    def _jobs(self) -> dict[int, JobDetails]:
        night = self._settings.night
        numbered = ((night.number(job.submission_id or ""), job) for job in self._server.jobs())
        return {number: job for number, job in numbered if number is not None}

    def _known(self) -> dict[int, Attempt]:
        jobs = self._jobs()
        last = max(jobs, default=0)
        return {
            number: Attempt(
                running=not is_over(job),
                exit_code=job.driver_exit_code,
                stopped=was_stopped(job),
                bounded=number == last and is_over(job) and ended_as_told(self.summary()),
            )
            for number, job in jobs.items()
        }

    def _submit(self, number: int) -> bool:
        """False if there is no time or budget left for another attempt."""
        settings, flags = self._settings, []
        if self._deadline is not None:
            if datetime.now(UTC) >= self._deadline:
                self._say("the deadline has come: the rest is for the next night")
                return False
            flags += ["--deadline", self._deadline.isoformat(timespec="minutes")]
        if settings.gpu_hours is not None:
            left = settings.gpu_hours - (self._gpu_hours_spent() if number > 1 else 0.0)
            if left <= 0:
                self._say("the budget of GPU hours is spent: the rest is for the next night")
                return False
            flags += ["--gpu-hours", f"{left:.3f}"]
        is_ours = self._server.submit(
            self._last,
            "python jobs/score.py " + shlex.join([*settings.arguments, *flags]),
            working_dir=settings.working_dir,
            metadata={"cohort": settings.night.cohort, "night": f"{settings.night.date}"},
            env={name: os.environ[name] for name in _FORWARDED if name in os.environ},
        )
        self._say(f"submitted {self._last}" if is_ours else f"{self._last} is running: following")
        return True

    def _gpu_hours_spent(self) -> float:
        """By the attempt before: as it told at its end, or in its last sign of life."""
        if (summary := self.summary()) is not None:
            return summary.gpu_hours
        try:
            holder = read_holder(self._settings.score.out)
        except StorageError:
            return 0.0
        progress = holder.progress if holder else None
        return float((progress or {}).get("gpu_hours", 0.0))

    def _pass_on(self, text: str) -> None:
        self._console.out(text, end="", highlight=False)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)
