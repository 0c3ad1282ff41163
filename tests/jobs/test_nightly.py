"""Nights on a real head: submitted, followed, twice the same night, tried again, bounded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from outputs import ROOT, row_files, verdicts
from ray_head import Head, ray_head, until

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def head(s3_server):
    with ray_head() as running:
        yield running


@pytest.fixture
def cohort(whole_cohort, tmp_path) -> Path:
    """Enough recordings that a night can be caught in the middle."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    for n in range(10):
        shutil.copy(whole_cohort / f"visit-01/answer {n % 3 + 1}.mp4", folder / f"{n:02}.mp4")
    return folder


class Nightly:
    """jobs/nightly.py in a process of its own."""

    def __init__(self, head: Head, cohort: str, *arguments: object, flags: tuple = ()):
        command = [sys.executable, ROOT / "jobs" / "nightly.py", "--cohort", cohort, *flags]
        command += ["--address", head.dashboard, "--", *arguments]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | head.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=280)
        return self.process.returncode, output


def flags_of(cohort: Path, out: object, *more: object) -> tuple:
    return ("--videos", cohort, "--out", out, "--model", "tiny", "--decoders", 1, *more)


def driver(out: object) -> psutil.Process | None:
    """The score.py that the head runs for this OUT."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "jobs/score.py" in command and str(out) in command and "sh" not in command[0]:
            return process
    return None


def rows(out: Path) -> int:
    return sum(1 for _ in (out / "videos").glob("*.parquet"))


def test_twice_the_same_night_is_harmless(head, cohort, tmp_path):
    out = tmp_path / "out"
    first = Nightly(head, "twice", *flags_of(cohort, out))
    until(lambda: driver(out), 150, "the first night")
    second = Nightly(head, "twice", *flags_of(cohort, out))
    for status, output in (first.end(), second.end()):
        assert status == 0, output
        assert re.search(r"Cohort +10 videos: 10 ok", output), "both pass the driver's words on"
        assert "twice: complete. 10 new, 0 changed, 0 removed, 0 failed" in output
    before = row_files(out)
    status, output = Nightly(head, "twice", *flags_of(cohort, out)).end()
    assert status == 0
    assert "has ended already, with exit status 0; --again" in output
    assert row_files(out) == before and len(list((out / "runs").iterdir())) == 1


def test_a_driver_that_is_killed_is_tried_once_more(head, cohort, tmp_path):
    out = tmp_path / "out"
    night = Nightly(head, "killed", *flags_of(cohort, out))
    until(lambda: rows(out) >= 2, 200, "some rows")
    driver(out).kill()
    status, output = night.end()
    assert status == 0, output
    assert "ended for want of machines or storage: trying once more" in output
    assert len(verdicts(out)) == 10
    assert len({row["run_id"] for row in verdicts(out, set()).values()}) == 2


def test_a_wrong_configuration_is_not_tried_again(head, cohort, tmp_path):
    status, output = Nightly(
        head, "wrong", "--videos", cohort, "--out", tmp_path / "out", "--model", "/no/such/model"
    ).end()
    assert status == 2, output
    assert output.count("no such directory") == 1
    assert "wrong: the configuration is wrong." in output


@pytest.mark.long
def test_the_deadline_leaves_the_rest_for_tomorrow(head, cohort, tmp_path):
    out, large = tmp_path / "out", tmp_path / "large"
    large.mkdir()
    for n in range(400):
        (large / f"{n:03}.mp4").symlink_to(cohort / f"{n % 10:02}.mp4")
    deadline = datetime.now().astimezone() + timedelta(seconds=45)
    flags = ("--deadline", deadline.isoformat())
    status, output = Nightly(head, "late", *flags_of(large, out, *flags)).end()
    assert status == 3, output
    assert f"Stopping: the deadline {deadline:%H:%M} has come." in output
    assert "trying once more" not in output
    assert 0 < rows(out) < 400
    assert len(verdicts(out)) == rows(out), "what is complete is kept"


def test_without_a_head(tmp_path):
    lost = Head(
        gcs="", dashboard="http://127.0.0.1:9", metrics="", environment={}, pid=0, folder=tmp_path
    )
    status, output = Nightly(lost, "lost", *flags_of(tmp_path, tmp_path / "out")).end()
    assert status == 2
    assert output.startswith("error: --address http://127.0.0.1:9:")
    assert len(output.splitlines()) == 1
