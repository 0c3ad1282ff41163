"""Nothing grows with the cohort, and nobody runs ahead: benchmarks/soak.py, shortened."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from outputs import ROOT

pytestmark = [pytest.mark.heavy, pytest.mark.long]


def soak(*arguments: object) -> dict:
    """What it found of a whole run."""
    command = [sys.executable, ROOT / "benchmarks" / "soak.py", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=290, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stderr.splitlines()[-1])


def test_hundreds_of_videos_leave_nothing_behind():
    found = soak("--videos", 300, "--free")
    assert found["spilled"] == 0
    assert found["peak_store"] < 30e6
    for process in ("driver", "Decoder", "Replica", "Reducer"):
        assert found["ratios"][process] < 1.15, found  # last quarter of the time / second


@pytest.mark.parametrize("replica", ["--slow", "--free"])
def test_no_stage_runs_ahead_of_another(replica):
    """64 clips of 720p hold 350 MB in all; the store is of 315 MB."""
    found = soak("--videos", 16, "--large", replica)
    assert found["spilled"] == 0
    assert found["peak_store"] < 230e6, found
