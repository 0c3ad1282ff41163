"""Ray's job API, as far as a night needs it: submit, find and follow a job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import requests
from ray.exceptions import AuthenticationError, RayError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from ah_ray.errors import ConfigError, StorageError, get_first_line
from ah_ray.ray_environment import has_token

LOOK_EVERY_S = 2.0
AWAY_S = 300.0
"""A head that does not answer for so long is given up."""


_TALKATIVE = (
    "dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk",
    "_private.runtime_env.packaging", "_private.runtime_env.working_dir",
)  # fmt: skip
"""Loggers of uploads and sockets, which a reader of a night's log does not need."""


_NO_ANSWER = (OSError, RuntimeError, ValueError, RayError, requests.RequestException)


class HeadGone(StorageError):
    """The cluster's head no longer answers."""


class JobServer:
    """The dashboard of a head, which takes jobs."""

    def __init__(self, address: str):
        """Connect. Raise ConfigError if no server that takes jobs answers there."""
        for module in _TALKATIVE:
            logging.getLogger(f"ray.{module}").setLevel(logging.ERROR)
        try:
            self._client = JobSubmissionClient(address)
            self._client.list_jobs()
        except AuthenticationError as error:
            wrong = "the token that was given is not the cluster's"
            missing = "the cluster asks for a token, and there is none here"
            raise ConfigError(
                f"--address {address}: {wrong if has_token() else missing} "
                f"({get_first_line(error)[:300]}); set RAY_AUTH_TOKEN, or put it into "
                "~/.ray/auth_token"
            ) from None
        except _NO_ANSWER as error:
            raise ConfigError(
                f"--address {address}: {get_first_line(error)[:300]}; give the dashboard of the "
                "head, as http://HOST:8265, and the cluster's token (RAY_AUTH_TOKEN or "
                "~/.ray/auth_token)"
            ) from None

    def jobs(self) -> Iterable[JobDetails]:
        jobs: list[JobDetails] = self._query(self._client.list_jobs)
        return jobs

    def job(self, job_id: str) -> JobDetails | None:
        """Return the job, or None if the head does not know it."""
        return next((job for job in self.jobs() if job.submission_id == job_id), None)

    def submit(
        self,
        job_id: str,
        entrypoint: str,
        *,
        working_dir: Path | None,
        metadata: Mapping[str, str],
        env: Mapping[str, str],
    ) -> bool:
        """Submit a job. Return False if there is one with that id already, to be followed."""
        environment: dict[str, Any] = {"env_vars": dict(env)}
        if working_dir is not None:
            environment["working_dir"] = str(working_dir)
        try:
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=job_id,
                runtime_env=environment,
                metadata=dict(metadata),
            )
        except (RuntimeError, ValueError) as error:
            if working_dir is not None and "exceeds the maximum size" in str(error):
                raise ConfigError(too_large(working_dir)) from None
            if self.job(job_id) is not None:
                return False
            raise ConfigError(f"{job_id} was not taken: {get_first_line(error)[:300]}") from None
        return True

    def follow(self, job_id: str, say: Callable[[str], None]) -> JobDetails | None:
        """Pass the driver's output to `say` until it has ended. Return the job, or None if the head
        has lost it."""
        said = 0
        while True:
            said = asyncio.run(self._tail(job_id, said, say))
            job = self.job(job_id)
            if job is None or is_over(job):
                return job
            time.sleep(LOOK_EVERY_S)

    async def _tail(self, job_id: str, said: int, say: Callable[[str], None]) -> int:
        """Pass on what is new in the log. Return how many characters were passed on in all."""
        come = 0
        try:
            async for text in self._client.tail_job_logs(job_id):
                new = text[max(0, said - come) :]
                come += len(text)
                if new:
                    say(new)
        except (RuntimeError, RayError, aiohttp.ClientError, OSError):
            pass  # the connection was cut: the job may go on
        return max(said, come)

    def _query(self, question: Callable[[], Any]) -> Any:
        """Return the head's answer. Repeat the question while it gives none, for `AWAY_S`."""
        until = time.monotonic() + AWAY_S
        while True:
            try:
                return question()
            except _NO_ANSWER as error:
                if time.monotonic() > until:
                    raise HeadGone(
                        f"the head did not answer for {AWAY_S:.0f} s: {get_first_line(error)[:300]}"
                    ) from None
                time.sleep(LOOK_EVERY_S)


def too_large(working_dir: Path) -> str:
    """Return the sentence about a working directory that is over Ray's limit for uploads."""
    sizes = sorted((_size_bytes(entry), entry.name) for entry in working_dir.iterdir())[::-1]
    total = sum(size for size, _ in sizes)
    largest = ", ".join(f"{name} ({size / 1e6:,.0f} MB)" for size, name in sizes[:3])
    return (
        f"--working-dir {working_dir} has {total / 1e6:,.0f} MB, more than Ray takes along with a "
        f"job; the largest in it are {largest}: name what the job does not need in its .gitignore, "
        "or give a clean clone"
    )


def _size_bytes(path: Path) -> int:
    files = [path] if not path.is_dir() or path.is_symlink() else path.rglob("*")
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def is_over(job: JobDetails) -> bool:
    return JobStatus(job.status).is_terminal()


def was_stopped(job: JobDetails) -> bool:
    return job.status == JobStatus.STOPPED
