"""A job as a user calls it, but in this process, which has imported already what it needs."""

from __future__ import annotations

import io
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

JOBS = Path(__file__).parents[1] / "jobs"


def said_by(
    job: str, *arguments: object, status: int = 0, environment: Mapping[str, str] | None = None
) -> str:
    """Its standard output, or the line on stderr if it must fail."""
    done = run_here(job, *arguments, environment=environment)
    assert done.returncode == status, done.stderr
    if status:
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
        assert not done.stdout
    return done.stderr if status else done.stdout


def run_here(
    job: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> CompletedProcess:
    """What `python jobs/JOB.py …` says, and how it exits. For jobs that start no Ray."""
    command = [str(JOBS / f"{job}.py"), *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with (
        patch.object(sys, "argv", command),
        patch.dict(os.environ, environment or {}, clear=environment is not None),
        patch.object(os, "_exit", sys.exit),  # a job ends at once, and with it its process
        patch.object(sys, "excepthook", sys.excepthook),  # a job puts its own before it
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            runpy.run_path(command[0], run_name="__main__")
            status = 0
        except SystemExit as leaving:
            status = leaving.code or 0
        finally:
            signal.signal(signal.SIGTERM, before)
    return CompletedProcess(command, status, out.getvalue(), err.getvalue())
