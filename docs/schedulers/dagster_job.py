"""Dagster: score a cohort each night. `dagster dev -f dagster_job.py` shows it and its schedule.

`ah-ray` must be on the PATH of the code location, and RAY_AUTH_TOKEN in its environment.
"""

import subprocess

import dagster as dg

NIGHT = ["ah-ray", "nightly", "--cohort", "study", "--address", "http://head:8265"]
NIGHT += ["--deadline", "06:00"]
SCORE = ["--videos", "s3://study/recordings", "--out", "s3://study/scores"]
SCORE += ["--model", "s3://study/models/qwen3-omni"]


WAIT_S = 1800  # before another try


@dg.op(out={"scored": dg.Out(int, is_required=False), "doubt": dg.Out(int, is_required=False)})
def night(context: dg.OpExecutionContext):
    """Yield `scored` if all rows are written, and `doubt` too if too many videos failed."""
    again = ["--again"] if context.retry_number else []  # else it would report the first try
    status = subprocess.run([*NIGHT, *again, "--", *SCORE], check=False).returncode
    if status == 3:  # rows are missing: another try goes on from there
        raise dg.RetryRequested(max_retries=2, seconds_to_wait=WAIT_S)
    if status == 4:
        context.log.info("skipped: another run holds the output, and scores it")
        return
    if status not in (0, 5):
        why = f"exit status {status}: no retry would help, read the log"
        raise dg.Failure(why, allow_retries=False)
    yield dg.Output(status, "scored")
    if status == 5:
        yield dg.Output(status, "doubt")


@dg.op
def alert(context: dg.OpExecutionContext, status: int) -> None:
    """Tell a person, by your own means."""
    context.log.error("rows are complete, but too many videos failed: see `ah-ray status`")


@dg.job
def ah_ray_nightly() -> None:
    alert(night().doubt)


nightly = dg.ScheduleDefinition(job=ah_ray_nightly, cron_schedule="0 22 * * *")
definitions = dg.Definitions(jobs=[ah_ray_nightly], schedules=[nightly])
