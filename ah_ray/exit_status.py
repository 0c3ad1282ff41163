"""The exit statuses of every job, and which of them a finished run has."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the shell, cron and Ray's job driver see. Where several apply: 2, 4, 3, 5, 0."""

    COMPLETE = 0
    CONFIG = 2  # found before any replica starts
    MISSING_ROWS = 3  # stopped, or lost to infrastructure: the same command goes on from there
    BUSY = 4  # another run holds the output
    TOO_MANY_FAILED = 5  # rows are complete, but too large a share of them are failed
    NOT_BETTER = 6  # a new model does not take the place of the one in use (evaluate.py --gate)


def final_status(*, n_videos: int, n_rows: int, n_failed: int, max_failed: float) -> ExitStatus:
    """Return the status of a run that came to its end, over the whole cohort.

    `n_rows` and `n_failed` count what was scored now or earlier; `max_failed` is the share that
    `--max-failed` allows (config/score_job.py).
    """
    if n_rows < n_videos:
        return ExitStatus.MISSING_ROWS
    if n_failed > max_failed * n_videos:
        return ExitStatus.TOO_MANY_FAILED
    return ExitStatus.COMPLETE
