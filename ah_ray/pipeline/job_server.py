"""Ray's job API as a night needs it: submit, find, follow, and how a driver ended."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import requests
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from ah_ray.errors import ConfigError, StorageError

LOOK_EVERY_S = 2.0
AWAY_S = 300.0
"""A head that does not answer for so long is given up."""


_TALKATIVE = (
    "dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk",
    "_private.runtime_env.packaging", "_private.runtime_env.working_dir",
)  # fmt: skip
"""Of uploads and sockets, which is nothing to who reads a night's log."""


class HeadGone(StorageError):
    """The cluster's head does not answer any more."""


class JobServer:
    """The dashboard of a head, which takes jobs."""

    def __init__(self, address: str):
        """Raises ConfigError if nothing that takes jobs answers there."""
        for module in _TALKATIVE:
            logging.getLogger(f"ray.{module}").setLevel(logging.ERROR)
        if _has_token():
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            self._client = JobSubmissionClient(address)
            self._client.list_jobs()
        except (OSError, RuntimeError, ValueError, requests.RequestException) as error:
            raise ConfigError(
                f"--address {address}: {_first_line(error)}; give the dashboard of the head, as "
                "http://HOST:8265, and the cluster's token (RAY_AUTH_TOKEN or ~/.ray/auth_token)"
            ) from None

    def jobs(self) -> Iterable[JobDetails]:
        return self._asked(self._client.list_jobs)

    def job(self, job_id: str) -> JobDetails | None:
        """None if the head does not know it (any more)."""
        return next((job for job in self.jobs() if job.submission_id == job_id), None)

    def submit(
        self,
        job_id: str,
        entrypoint: str,
        *,
        working_dir: Path,
        metadata: Mapping[str, str],
        env: Mapping[str, str],
    ) -> bool:
        """False if another was first to submit a job of that id: follow it."""
        environment: dict[str, Any] = {"working_dir": str(working_dir), "env_vars": dict(env)}
        try:
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=job_id,
                runtime_env=environment,
                metadata=dict(metadata),
            )
        except RuntimeError as error:
            if self.job(job_id) is not None:
                return False
            raise ConfigError(f"{job_id} was not taken: {_first_line(error)}") from None
        return True

    def follow(self, job_id: str, say: Callable[[str], None]) -> JobDetails | None:
        """Passes the driver's words on until it has ended; None if the head has lost the job."""
        said = 0
        while True:
            said = asyncio.run(self._tail(job_id, said, say))
            job = self.job(job_id)
            if job is None or is_over(job):
                return job
            time.sleep(LOOK_EVERY_S)

    async def _tail(self, job_id: str, said: int, say: Callable[[str], None]) -> int:
        """From the first character that was not said yet; returns how many are."""
        come = 0
        try:
            async for text in self._client.tail_job_logs(job_id):
                new = text[max(0, said - come) :]
                come += len(text)
                if new:
                    say(new)
        except (RuntimeError, aiohttp.ClientError, OSError):
            pass  # the connection was cut: the job may go on
        return max(said, come)

    def _asked(self, question: Callable[[], Any]) -> Any:
        """The head's answer, waited for while it does not give one."""
        until = time.monotonic() + AWAY_S
        while True:
            try:
                return question()
            except (OSError, RuntimeError, requests.RequestException) as error:
                if time.monotonic() > until:
                    raise HeadGone(
                        f"the head did not answer for {AWAY_S:.0f} s: {_first_line(error)}"
                    ) from None
                time.sleep(LOOK_EVERY_S)


def is_over(job: JobDetails) -> bool:
    return JobStatus(job.status).is_terminal()


def was_stopped(job: JobDetails) -> bool:
    return job.status == JobStatus.STOPPED


def _has_token() -> bool:
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or Path("~/.ray/auth_token").expanduser().is_file()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
