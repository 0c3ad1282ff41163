"""Storage that refuses some writes: the run says which, writes what it can, and exits 3.

Of videos that are missing, whose rows need neither a model nor Ray.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from outputs import row_files, run_score, score_job, verdicts

from ah_ray import storage


@pytest.fixture
def out(bucket, proxy) -> str:
    return f"s3://{bucket}/out"


@pytest.fixture
def missing(tmp_path) -> Callable[[int], tuple]:
    """The flags for a cohort of so many videos that are not there."""

    def flags(n: int) -> tuple:
        entries = [f"{i:04}.mp4,v{i:04}" for i in range(n)]
        (tmp_path / "cohort.csv").write_text("\n".join(["uri,video_id", *entries]))
        return ("--videos", tmp_path / "cohort.csv", "--model", "tiny", "--max-failed", 1)

    return flags


def summaries(out: str) -> list[dict]:
    pages = storage.list_pages(storage.join(out, "runs"))
    return [json.loads(storage.read_bytes(entry.uri)) for page in pages for entry in page]


def refuse(proxy, method: str, part: str) -> None:
    proxy.rule = lambda its, path, _: 403 if its == method and part in path else None


def test_a_row_that_is_refused_costs_its_video_alone(out, proxy, missing):
    refuse(proxy, "PUT", "/videos/v0003-")
    job = run_score("--out", out, *missing(5))
    assert job.returncode == 3, job.stderr
    assert "1 without a row: writing s3://" in job.stdout and "AccessDenied" in job.stdout
    assert verdicts(out).keys() == {"v0000", "v0001", "v0002", "v0004"}
    assert [run["exit_status"] for run in summaries(out)] == [3]


@pytest.mark.parametrize(
    "name", ["verdicts.parquet", pytest.param("clips.parquet", marks=pytest.mark.heavy)]
)
@pytest.mark.slow
def test_tables_that_are_refused_are_reported(out, proxy, missing, name):
    refuse(proxy, "PUT", name)
    job = run_score("--out", out, *missing(3))
    assert job.returncode == 3 and "Traceback" not in job.stderr, job.stderr
    (run,) = summaries(out)
    assert (run["exit_status"], run["counts"]) == (3, None)
    assert name in run["trouble"] and "AccessDenied" in run["trouble"]
    apart = "clips.parquet is of this run and verdicts.parquet is not"
    assert (apart in run["trouble"]) == (name == "verdicts.parquet")
    assert "Trouble" in job.stdout
    proxy.rule = lambda *_: None
    assert run_score("--out", out, *missing(3)).returncode == 0
    assert len(verdicts(out)) == 3


@pytest.mark.slow
def test_a_full_temporary_disk_costs_the_tables_alone(out, missing, full_disk):
    filling = full_disk / "filling"
    os.truncate(filling, filling.stat().st_size - 8192)  # else Python takes another folder
    job = run_score("--out", out, *missing(3), TMPDIR=str(full_disk))
    assert job.returncode == 3 and "Traceback" not in job.stderr, job.stderr
    (run,) = summaries(out)
    assert (run["exit_status"], run["counts"]) == (3, None)
    assert f"are made in {full_disk}, which failed: No space left" in run["trouble"]
    assert len(row_files(out)) == 3
    assert run_score("--out", out, *missing(3)).returncode == 0
    assert len(verdicts(out)) == 3


def test_an_output_whose_disk_is_full_is_one_sentence(missing, small_disk):
    job = run_score("--out", small_disk / "out", *missing(300))
    assert job.returncode == 3, job.stdout + job.stderr
    assert "Traceback" not in job.stderr
    assert f"make room on the disk of {small_disk}" in job.stdout + job.stderr
    assert len(job.stderr.splitlines()) <= 1
    assert not list(small_disk.rglob(".tmp-*"))


@pytest.mark.parametrize("n_runs", [1, pytest.param(3, marks=pytest.mark.heavy)])
@pytest.mark.slow
def test_removals_that_are_refused_are_reported(out, proxy, missing, n_runs):
    """Of rows that are written again, since it may pass, and of those that stay as they are."""
    for _ in range(n_runs):
        assert run_score("--out", out, *missing(2)).returncode == 0
    name = next(iter(row_files(out)))
    left = f"{name.partition('-')[0]}-01234567.parquet"
    storage.write_whole(storage.join(out, "videos", left), b"an older row")
    seen = []

    def rule(method: str, path: str, _count: int) -> int | None:
        if method == "POST" and "delete" in path:
            seen.append(path)
            return 403 if len(seen) > 2 else None  # those before are of the run's own probes
        return None

    proxy.rule = rule
    job = run_score("--out", out, *missing(2))
    assert job.returncode == 3, job.stdout + job.stderr
    run = max(summaries(out), key=lambda run: run["run_id"])
    assert run["exit_status"] == 3 and run["trouble"].startswith("removing from s3://")
    assert run["counts"]["rows"] == 2
    assert len(verdicts(out)) == 2


@pytest.mark.heavy
def test_ctrl_c_while_rows_of_missing_videos_are_written(out, proxy, missing):
    proxy.delay_s = 0.1
    job = subprocess.Popen(score_job("--out", out, *missing(3_000)), stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not any("/videos/v" in path for _, path in proxy.requests) and time.monotonic() < until:
        time.sleep(0.05)
    job.send_signal(signal.SIGINT)
    began = time.monotonic()
    job.communicate(timeout=60)
    assert job.returncode == 3
    assert time.monotonic() - began < 30, "not after all 3,000"
    proxy.delay_s = 0.0
    assert 0 < len(verdicts(out)) == len(row_files(out)) < 3_000
    assert [run["trouble"] for run in summaries(out)] == ["stopped by a signal"]


@pytest.mark.heavy
def test_the_deadline_while_rows_of_missing_videos_are_written(out, proxy, missing):
    proxy.delay_s = 0.1
    deadline = datetime.now().astimezone() + timedelta(seconds=8)
    job = run_score("--out", out, *missing(3_000), "--deadline", deadline.isoformat())
    assert job.returncode == 3, job.stdout + job.stderr
    proxy.delay_s = 0.0
    assert len(row_files(out)) < 3_000
    (run,) = summaries(out)
    assert run["bounded"] and run["trouble"].startswith("the deadline ")


def test_nothing_is_left_in_the_temporary_folder_by_a_kill(out, proxy, missing, tmp_path):
    """Rows, tables in the making: nothing has a name there, at any moment."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    came = threading.Event()

    def hold(method: str, path: str) -> None:
        if method == "PUT" and "clips.parquet" in path:
            came.set()
            proxy.stopped.wait()

    proxy.hold = hold
    environment = os.environ | {"TMPDIR": str(folder)}
    job = subprocess.Popen(score_job("--out", out, *missing(5)), env=environment)
    assert came.wait(60)
    job.kill()
    job.wait()
    assert list(folder.rglob("*")) == []
