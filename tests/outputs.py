"""What an output holds, in a form in which two of them can be compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ah_ray
from ah_ray import storage

ROOT = Path(__file__).parents[1]

OF_THE_RUN = {"run_id", "scored_at", "decode_s", "score_s"}
OF_THE_PLACE = {"uri", "etag", "last_modified"}


def verdicts(out, ignore: set[str] = OF_THE_RUN) -> dict[str, dict]:
    """video_id → its row of verdicts.parquet, without what differs from run to run."""
    rows = ah_ray.read_verdicts(str(out)).to_pylist()
    assert len({row["video_id"] for row in rows}) == len(rows), "two rows for one video"
    return {row["video_id"]: {k: v for k, v in row.items() if k not in ignore} for row in rows}


def clips(out) -> list[dict]:
    """All rows of clips.parquet, in order."""
    return ah_ray.read_clips(str(out)).to_pylist()


def row_files(out) -> dict[str, bytes]:
    """name → content of the rows in OUT/videos."""
    folder = storage.join(storage.normalise(str(out)), "videos")
    return {
        entry.key: storage.read_bytes(entry.uri)
        for page in storage.list_pages(folder)
        for entry in page
        if entry.key.endswith(".parquet")
    }


def score_job(*arguments: object) -> list[str]:
    """The command line of jobs/score.py."""
    return [sys.executable, str(ROOT / "jobs" / "score.py"), *map(str, arguments)]


def run_score(
    *arguments: object, timeout_s: float = 120, **env: str
) -> subprocess.CompletedProcess:
    """Runs jobs/score.py to its end, in a process of its own, off a terminal."""
    return subprocess.run(
        score_job(*arguments),
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
