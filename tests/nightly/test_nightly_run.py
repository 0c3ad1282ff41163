"""A night over a head that is only played: what is submitted, again, and told.

tests/jobs/test_nightly.py has nights on a real one.
"""

from __future__ import annotations

import io
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from outputs import ROOT
from ray.job_submission import JobDetails
from rich.console import Console

from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.nightly import run as nightly_run
from ah_ray.nightly.attempts import Night
from ah_ray.nightly.job_server import too_large
from ah_ray.nightly.run import NightSettings
from ah_ray.output.lease import Lease
from ah_ray.output.runs import RunSummary, new_run_id, write_summary


class Head:
    """Takes jobs; each ends as `fates` says, in turn: with an exit code, or lost (null)."""

    def __init__(self, *fates: int | None):
        self._fates = list(fates)
        self._jobs: list[JobDetails] = []
        self.commands: list[list[str]] = []
        self.environment: dict[str, str] = {}  # that went along with the last job

    def jobs(self) -> list[JobDetails]:
        return self._jobs

    def submit(self, job_id: str, entrypoint: str, env: Mapping[str, str], **_: object) -> bool:
        self.commands.append(shlex.split(entrypoint))
        self.environment = dict(env)
        code = self._fates.pop(0)
        job = JobDetails(
            type="SUBMISSION",
            submission_id=job_id,
            status="SUCCEEDED" if code == 0 else "FAILED",
            entrypoint=entrypoint,
            start_time=round(time.time() * 1000) - 1,
            driver_exit_code=code,
        )
        self._jobs.append(job)
        return True

    def follow(self, *_: object) -> None:
        pass


@pytest.fixture
def settings(tmp_path) -> NightSettings:
    return NightSettings(
        night=Night(cohort="study", date=date(2026, 1, 2)),
        address="http://head:8265",
        arguments=("--videos", "v", "--out", str(tmp_path), "--model", "tiny"),
        score=score_settings(videos="v", out=str(tmp_path), model="tiny"),
        working_dir=Path(),
    )


@pytest.fixture
def night(monkeypatch):
    """Runs a night; returns its exit status and what it said."""

    def run(head: Head, settings: NightSettings) -> tuple[int, str]:
        monkeypatch.setattr(nightly_run, "JobServer", lambda _address: head)
        console = Console(file=io.StringIO(), width=200)
        return nightly_run.run_night(settings, console), console.file.getvalue()

    return run


def test_where_the_store_is_goes_along_and_nothing_else(settings, night, monkeypatch):
    """All that docs/operations.md says, and no more: keys stay on this machine."""
    text = " ".join((ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split())
    sentence = text.partition("**The address of the store**")[2].partition("Nothing else is")[0]
    documented = set(re.findall(r"`([A-Z]+_\w+)`", sentence))
    assert {"AWS_REGION", "AZURE_STORAGE_ACCOUNT_NAME", "API_ENDPOINT_OVERRIDE"} <= documented
    for name in (*documented, "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"value of {name}")
    head = Head(0)
    assert night(head, settings)[0] == 0
    assert head.environment == {name: f"value of {name}" for name in documented}
    for name in documented:
        monkeypatch.delenv(name)
    head = Head(0)
    night(head, settings)
    assert head.environment == {}


def left_behind(out: Path, gpu_hours: float) -> None:
    """The lease of a run that was killed after so many GPU hours."""
    lease = Lease.acquire(str(out), "run-1", stale_s=0.4)
    lease.report = lambda: {"gpu_hours": gpu_hours}
    while not lease.holder.progress:
        time.sleep(0.05)
    time.sleep(0.2)
    lease._stop.set()


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_second_attempt_has_what_the_first_has_left(settings, night, tmp_path):
    left_behind(tmp_path, 0.5)
    head = Head(None, 0)
    deadline = datetime.now(UTC) + timedelta(hours=6)
    status, said = night(
        head, replace(settings, gpu_hours=2.0, deadline=deadline.isoformat(timespec="minutes"))
    )
    assert status == 0
    assert "study-20260102-1 ended for want of machines or storage: trying once more" in said
    assert [option(command, "--gpu-hours") for command in head.commands] == ["2.000", "1.500"]
    assert {option(command, "--deadline") for command in head.commands} == {
        deadline.isoformat(timespec="minutes")
    }
    assert [job.submission_id for job in head.jobs()] == ["study-20260102-1", "study-20260102-2"]


def test_a_spent_budget_leaves_nothing_for_another(settings, night, tmp_path):
    left_behind(tmp_path, 2.1)
    head = Head(None)
    status, said = night(head, replace(settings, gpu_hours=2.0))
    assert (status, len(head.commands)) == (3, 1)
    assert "the budget of GPU hours is spent: the rest is for the next night" in said


def test_after_the_deadline_nothing_is_submitted(settings, night):
    head = Head()
    status, said = night(head, replace(settings, deadline="2026-01-02T06:00+00:00"))
    assert (status, head.commands) == (3, [])
    assert "the deadline has come: the rest is for the next night" in said


@pytest.mark.parametrize(("fates", "expected"), [((5,), 5), ((4,), 4), ((3, 3), 3), ((1, -9), 3)])
def test_the_drivers_own_exit_status(fates, expected, settings, night):
    head = Head(*fates)
    assert night(head, settings)[0] == expected
    assert len(head.commands) == len(fates)


def test_what_changed_and_what_it_cost_is_posted(settings, night, tmp_path, monkeypatch):
    posted = []
    monkeypatch.setattr(nightly_run.webhook, "post", lambda url, news: posted.append((url, news)))
    now = datetime.now(UTC) + timedelta(seconds=1)
    summary = RunSummary(
        run_id=new_run_id(now),
        started_at=now,
        ended_at=now + timedelta(minutes=30),
        exit_status=0,
        changes={"new": 12, "changed": 1, "removed": 0, "failed": 2},
        gpu_hours=1.0,
        cost_per_hour=4.0,
    )
    write_summary(str(tmp_path), summary)
    status, said = night(Head(0), replace(settings, notify="https://chat.example/hook"))
    ((url, news),) = posted
    assert (status, url) == (0, "https://chat.example/hook")
    assert news["changes"] == {"new": 12, "changed": 1, "removed": 0, "failed": 2}
    assert news["text"] in said
    assert "12 new, 1 changed, 0 removed, 2 failed; 30:00, 1.00 GPU hours, cost 2.00" in said


def test_a_clone_runs_its_own_code_and_an_installed_package_the_clusters(night, settings, tmp_path):
    clone = Path(__file__).parents[2]
    beginnings = {
        clone: ["python", "jobs/score.py", "--videos"],
        tmp_path: ["python", "-m", "ah_ray", "score", "--videos"],
        None: ["python", "-m", "ah_ray", "score", "--videos"],
    }
    for working_dir, beginning in beginnings.items():
        head = Head(0)
        night(head, replace(settings, working_dir=working_dir))
        assert head.commands[0][: len(beginning)] == beginning


@pytest.mark.parametrize(
    "words",
    [
        "Traceback …\nModuleNotFoundError: No module named 'typer'\n",
        "/bin/sh: 1: python: not found\n",
        "python: can't open file '/x/jobs/score.py': [Errno 2] No such file or directory\n",
        "/usr/bin/python: No module named ah_ray\n",
    ],
)
def test_a_python_that_is_not_the_clusters_is_not_taken_for_lost_machines(night, settings, words):
    class OtherPython(Head):
        def follow(self, _job_id: str, say) -> None:
            say(words)

    head = OtherPython(1, 0)
    with pytest.raises(ConfigError, match=r"did not start: the cluster's `python` says "):
        night(head, settings)
    assert len(head.commands) == 1


def test_a_night_that_cannot_begin_is_posted(settings, monkeypatch):
    posted = []
    monkeypatch.setattr(nightly_run.webhook, "post", lambda url, news: posted.append(news))
    console = Console(file=io.StringIO())
    with pytest.raises(ConfigError), nightly_run.post_failures("https://h/x", "study", console):
        raise ConfigError("--address http://head:8265: nothing answers")
    assert posted[0]["text"] == "study: --address http://head:8265: nothing answers"
    assert (posted[0]["exit_status"], posted[0]["summary"]) == (2, None)


def test_a_working_directory_that_is_too_large_is_reported_with_what_is_in_it(tmp_path):
    for name, size in (("data", 3_000_000), ("models", 2_000_000), ("code", 1_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"x" * size)
    told = too_large(tmp_path)
    assert "has 5 MB" in told and "data (3 MB), models (2 MB)" in told and ".gitignore" in told
