"""Prefect 3: score a cohort each night. `python prefect_flow.py` serves the schedule.

`ah-ray` must be on the PATH, and RAY_AUTH_TOKEN in the environment.
"""

from __future__ import annotations

import subprocess
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.runtime import task_run
from prefect.states import Completed, State

NIGHT = ["ah-ray", "nightly", "--cohort", "study", "--address", "http://head:8265"]
NIGHT += ["--deadline", "06:00"]
SCORE = ["--videos", "s3://study/recordings", "--out", "s3://study/scores"]
SCORE += ["--model", "s3://study/models/qwen3-omni"]


class RowsMissing(Exception):
    """Another try goes on from there."""


def may_pass(_task: Any, _run: Any, state: State) -> bool:
    return isinstance(state.result(raise_on_failure=False), RowsMissing)


@task(retries=2, retry_delay_seconds=1800, retry_condition_fn=may_pass)
def night() -> int:
    """Return 0, 4 or 5."""
    again = ["--again"] if task_run.run_count > 1 else []  # else it would report the first try
    status = subprocess.run([*NIGHT, *again, "--", *SCORE], check=False).returncode
    if status == 3:
        raise RowsMissing("rows are missing: another try goes on from there")
    if status not in (0, 4, 5):
        raise RuntimeError(f"exit status {status}: no retry would help, read the log")
    return status


@task
def alert() -> None:
    """Tell a person, by your own means."""
    get_run_logger().error("rows are complete, but too many videos failed: see `ah-ray status`")


@flow(name="ah-ray-nightly")
def ah_ray_nightly() -> State:
    status = night()
    if status == 4:
        return Completed(name="Skipped", message="another run holds the output, and scores it")
    if status == 5:
        alert()
    return Completed(message=f"exit status {status}")


if __name__ == "__main__":
    ah_ray_nightly.serve(cron="0 22 * * *", limit=1)
