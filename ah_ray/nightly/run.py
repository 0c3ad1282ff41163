"""A night: score.py as a job of the cluster, followed to its end; once more if machines fail."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ray.job_submission import JobDetails
from rich.console import Console

from ah_ray.config import ScoreSettings
from ah_ray.errors import ConfigError, OutputBusy, StorageError
from ah_ray.escaping import escape_text
from ah_ray.exit_status import ExitStatus
from ah_ray.nightly import webhook
from ah_ray.nightly.attempts import Attempt, Night, ended_at_bound, next_step
from ah_ray.nightly.drift_warning import drift_warnings
from ah_ray.nightly.job_server import HeadGone, JobServer, is_over, was_stopped
from ah_ray.output.lease import read_holder
from ah_ray.output.runs import RunSummary, latest_summary
from ah_ray.pipeline.stopping import next_time

_FORWARDED = (
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE",
    "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AZURE_STORAGE_ACCOUNT_NAME",
    "API_ENDPOINT_OVERRIDE",
)  # fmt: skip
"""Where the store is; who may use it is the cluster's own affair (instance roles)."""

_LAST_WORDS = 4_000
_NOT_STARTED = re.compile(
    r"(?:ModuleNotFoundError|ImportError|SyntaxError): [^\n]*"
    r"|[^\n]*python[0-9.]*: (?:command )?not found"
    r"|[^\n]*can't open file [^\n]*score\.py[^\n]*"
    r"|[^\n]*: No module named ah_ray[^\n]*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSettings:
    """Settings of a night: of `jobs/nightly.py`, and those of score.py."""

    night: Night
    address: str  # of the head's dashboard
    arguments: tuple[str, ...]  # of score.py
    score: ScoreSettings  # the same, parsed
    working_dir: Path | None
    deadline: str | None = None  # HH:MM here
    gpu_hours: float | None = None
    notify: str | None = None
    again: bool = False


def run_night(settings: NightSettings, console: Console) -> int:
    """Run a night. Return the exit status of the driver, or 3 if that was lost.

    Raise ConfigError if the night cannot start.
    """
    run = _Run(settings, console)
    try:
        status = run.run_attempts()
    except HeadGone as error:
        console.print(f"{error}. What is scored is kept: start the night again", soft_wrap=True)
        status = ExitStatus.MISSING_ROWS
    run.report_outcome(status)
    return status


@contextmanager
def post_failures(url: str | None, cohort: str, console: Console) -> Iterator[None]:
    """Post to `url` if the night cannot start, or ends with an error, and raise that error again.

    Nobody reads the log of a night that did not take place.
    """
    if url:
        webhook.check_url(url)
    try:
        yield
    except (ConfigError, StorageError, OutputBusy) as error:
        if url and (problem := webhook.post(url, webhook.failure_message(cohort, error))):
            console.print(problem, soft_wrap=True, highlight=False, markup=False)
        raise


class _Run:
    """One night in progress."""

    def __init__(self, settings: NightSettings, console: Console):
        self._settings = settings
        self._console = console
        self._began = datetime.now(UTC)
        self._server = JobServer(settings.address)
        now = datetime.now().astimezone()
        self._deadline = next_time(settings.deadline, now) if settings.deadline else None
        self._last = settings.night.attempt(1)
        self._last_words = ""  # of the driver

    def run_attempts(self) -> int:
        known, again = self._list_attempts(), self._settings.again
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
            self._server.follow(self._last, self._print_log)
            known = self._list_attempts()
            known.setdefault(step.number, Attempt(running=False))  # lost with its head
            self._check_python(known[step.number])
            step = next_step(known)
            if step.submit:
                self._say(f"{self._last} ended for want of machines or storage: trying once more")
        return known[step.number].exit_status

    def _check_python(self, attempt: Attempt) -> None:
        """Raise ConfigError if the driver did not start: its `python` is not the right one."""
        if attempt.exit_code in set(ExitStatus) or attempt.running:
            return
        if found := _NOT_STARTED.search(self._last_words):
            raise ConfigError(
                f"{self._last} did not start: the cluster's `python` says {escape_text(found[0])}; "
                "install ah_ray and its dependencies where the head's PATH finds `python`, the "
                "same version as the cluster's"
            )

    def report_outcome(self, status: int) -> None:
        """Print the outcome, and post it to the URL of --notify."""
        settings, summary = self._settings, self.summary()
        cohort = settings.night.cohort
        drift = drift_warnings(settings.score.out, summary)
        self._say(webhook.outcome_text(cohort, status, summary))
        for warning in drift:
            self._say(warning)
        if settings.notify:
            message = webhook.outcome_message(cohort, self._last, status, summary)
            problem = webhook.post(settings.notify, webhook.add_drift(message, drift))
            if problem:
                self._say(problem)

    def summary(self) -> RunSummary | None:
        """Return the summary of the last run into OUT since this night began, or None."""
        try:
            return latest_summary(
                self._settings.score.out, lambda run: run.started_at >= self._since(), look_at=5
            )
        except (StorageError, ConfigError):
            return None

    def _since(self) -> datetime:
        """Return when the first attempt of this night was submitted."""
        starts = [job.start_time for number, job in self._jobs().items() if job.start_time]
        first = min(starts, default=None)
        return datetime.fromtimestamp(first / 1000, UTC) if first else self._began

    def _jobs(self) -> dict[int, JobDetails]:
        night = self._settings.night
        numbered = ((night.number(job.submission_id or ""), job) for job in self._server.jobs())
        return {number: job for number, job in numbered if number is not None}

    def _list_attempts(self) -> dict[int, Attempt]:
        jobs = self._jobs()
        last = max(jobs, default=0)
        return {
            number: Attempt(
                running=not is_over(job),
                exit_code=job.driver_exit_code,
                stopped=was_stopped(job),
                bounded=number == last and is_over(job) and ended_at_bound(self.summary()),
            )
            for number, job in jobs.items()
        }

    def _submit(self, number: int) -> bool:
        """Submit an attempt. Return False if there is no time or budget left for it."""
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
            _entrypoint(settings.working_dir) + shlex.join([*settings.arguments, *flags]),
            working_dir=settings.working_dir,
            metadata={"cohort": settings.night.cohort, "night": f"{settings.night.date}"},
            env={name: os.environ[name] for name in _FORWARDED if name in os.environ},
        )
        self._say(f"submitted {self._last}" if is_ours else f"{self._last} is running: following")
        return True

    def _gpu_hours_spent(self) -> float:
        """Return the GPU hours of the attempt before, from its summary or its lease."""
        if (summary := self.summary()) is not None:
            return summary.gpu_hours
        try:
            holder = read_holder(self._settings.score.out)
        except StorageError:
            return 0.0
        progress = holder.progress if holder else None
        return float((progress or {}).get("gpu_hours", 0.0))

    def _print_log(self, text: str) -> None:
        self._console.out(text, end="", highlight=False)
        self._last_words = (self._last_words + text)[-_LAST_WORDS:]

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _entrypoint(working_dir: Path | None) -> str:
    """Return the beginning of the job's command: the clone's script, or the installed package."""
    if working_dir is not None and (working_dir / "jobs" / "score.py").is_file():
        return "python jobs/score.py "
    return "python -m ah_ray score "
