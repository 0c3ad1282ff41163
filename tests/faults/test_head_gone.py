"""The head of the cluster dies under a run; a new one takes the same command."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from outputs import clips, row_files, score_job, verdicts
from ray_head import ray_head, until

import ah_ray

pytestmark = [pytest.mark.heavy, pytest.mark.long]


@pytest.fixture
def cohort(whole_cohort, tmp_path) -> Path:
    folder = tmp_path / "cohort"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n:03}.mp4").symlink_to(whole_cohort / f"visit-01/answer {n % 3 + 1}.mp4")
    return folder


def start(head, cohort: Path, out: Path) -> subprocess.Popen:
    return subprocess.Popen(
        score_job("--videos", cohort, "--out", out, "--model", "tiny", "--decoders", 1),
        env=os.environ | head.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows(out: Path) -> int:
    return sum(1 for _ in (out / "videos").glob("*.parquet"))


def test_what_was_scored_is_kept_and_the_next_run_goes_on(cohort, ray_session, tmp_path):
    out = tmp_path / "out"
    with ray_head() as head:
        run = start(head, cohort, out)
        until(lambda: rows(out) >= 10, 200, "some rows")
        for process in psutil.Process(head.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # gone by itself, once its parent was
                process.send_signal(signal.SIGKILL)
        os.kill(head.pid, signal.SIGKILL)
        began = time.monotonic()
        output, _ = run.communicate(timeout=240)
        assert run.returncode != 0, output
        assert time.monotonic() - began < 180, "it must not hang"
    kept = row_files(out)
    assert 10 <= len(kept) < 60
    with ray_head() as head:
        again = start(head, cohort, out)
        output, _ = again.communicate(timeout=240)
        assert again.returncode == 0, output
    after = row_files(out)
    assert {name: after[name] for name in kept} == kept, "a committed video was scored again"
    ah_ray.score(videos=str(cohort), out=str(tmp_path / "undisturbed"), model="tiny")
    assert verdicts(out) == verdicts(tmp_path / "undisturbed")
    assert clips(out) == clips(tmp_path / "undisturbed")
