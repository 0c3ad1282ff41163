"""Ctrl-C while a job is still loading: one line and exit 3, whichever import it hits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
COMMANDS = {
    "evaluate": ("scores", "--labels", "labels"),
    "prepare": ("--table", "labels.csv", "--out", "labels", "--plain-participants"),
    "reduce": ("scores", "--out", "reduced"),
    "clips": ("scores", "--to", "review"),
    "score": ("--videos", "cohort", "--out", "scores", "--model", "tiny"),
}


def interrupted_after(module: str, job: str, folder: Path) -> tuple[int, list[str]]:
    """(exit status, what is said) of a job that gets SIGINT when it has imported `module`."""
    command = [sys.executable, "-X", "importtime", str(REPOSITORY / "jobs" / f"{job}.py")]
    running = subprocess.Popen(
        [*command, *COMMANDS[job]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said, was_sent = [], False
    for line in running.stderr:  # as each module is imported
        if not line.startswith("import time:"):
            said.append(line.rstrip())
        elif line.rpartition("|")[2].strip() == module:
            running.send_signal(signal.SIGINT)
            was_sent = True
    assert was_sent, f"{job} does not import {module}"
    return running.wait(timeout=30), said


@pytest.mark.parametrize(
    ("job", "module"),
    [
        ("evaluate", "rich.console"),
        ("evaluate", "numpy"),
        ("evaluate", "ah_ray.study.labelled_manifest"),
        ("prepare", "pydantic"),
        ("prepare", "pyarrow.lib"),
        ("prepare", "ah_ray.media.probe"),
        ("reduce", "pydantic_core"),
        ("reduce", "ah_ray.output.tables"),
        ("clips", "ah_ray.records"),
        ("score", "pydantic"),
        ("score", "ah_ray.profile"),
    ],
)
def test_interrupted_while_it_loads(job, module, tmp_path):
    again = " to go on" if job in ("reduce", "score") else ""
    status, said = interrupted_after(module, job, tmp_path)
    assert status == 3, said
    assert said in ([f"error: stopped. Run it again{again}"], ["error: stopped. Run it again"])
