"""Airflow 3: score a cohort each night. Copy this file into the folder of your DAGs.

`ah-ray` must be on the PATH of the workers, and RAY_AUTH_TOKEN in their environment.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

NIGHT = ["ah-ray", "nightly", "--cohort", "study", "--address", "http://head:8265"]
NIGHT += ["--deadline", "06:00"]
SCORE = ["--videos", "s3://study/recordings", "--out", "s3://study/scores"]
SCORE += ["--model", "s3://study/models/qwen3-omni"]


@dag(schedule="0 22 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def ah_ray_nightly() -> None:
    @task(retries=2, retry_delay=timedelta(minutes=30))
    def night() -> int:
        """Return 0 or 5: all rows are written."""
        tries = get_current_context()["ti"].try_number
        again = ["--again"] if tries > 1 else []  # else it would report how the first try ended
        status = subprocess.run([*NIGHT, *again, "--", *SCORE], check=False).returncode
        if status == 3:
            raise AirflowException("rows are missing: another try goes on from there")
        if status == 4:
            raise AirflowSkipException("another run holds the output, and scores it")
        if status not in (0, 5):
            raise AirflowFailException(f"exit status {status}: no retry would help, read the log")
        return status

    @task.short_circuit
    def too_many_failed(status: int) -> bool:
        return status == 5

    @task
    def alert() -> None:
        """Tell a person, by your own means."""
        print("ah-ray: rows are complete, but too many videos failed: see `ah-ray status`")

    too_many_failed(night()) >> alert()


ah_ray_nightly()
