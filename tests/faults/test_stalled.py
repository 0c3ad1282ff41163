"""A run that is stopped for longer than its stale time, at each stage, while another takes over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from invented_rows import make_output
from outputs import ROOT, row_files, verdicts

from ah_ray import storage
from ah_ray.output.lease import Lease, read_holder
from ah_ray.output.table_files import CLIPS_FILE, VERDICTS_FILE

STALE_S = 2.0
JOB = """
import runpy, sys
from ah_ray.output import lease
lease.STALE_S = float(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FOREIGN = b"written by the run that took over"


class Stalled:
    """A job that is stopped when its request of a kind arrives, which waits meanwhile."""

    def __init__(self, proxy, out: str, wanted: Callable[[str, str], bool], *command: object):
        self._out, self._wanted, self._proxy = out, wanted, proxy
        self._came, self._goes_on = threading.Event(), threading.Event()
        self.uri = ""  # of the object that it was stopped at
        proxy.hold = self._hold
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(STALE_S), *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _hold(self, method: str, path: str) -> None:
        if not self._came.is_set() and self._wanted(method, path):
            self.uri = "s3:/" + unquote(urlsplit(path).path)
            self._came.set()
            os.kill(self.process.pid, signal.SIGSTOP)
            self._goes_on.wait(60)

    def came(self, limit_s: float = 200) -> bool:
        """Wait until the job is stopped; return whether it was."""
        return self._came.wait(limit_s) or self.process.kill()

    def taken_over(self, uris: Collection[str], limit_s: float = 200) -> tuple[int, str]:
        """(exit status, standard error) of the job, once another run has taken its place.

        That run writes the objects `uris` while the job is stopped.
        """
        try:
            with Lease.acquire(self._out, "newcomer"):
                for uri in uris:
                    storage.write_whole(uri, FOREIGN)
                self._goes_on.set()
                os.kill(self.process.pid, signal.SIGCONT)
                _, said = self.process.communicate(timeout=limit_s)
                assert read_holder(self._out).run_id == "newcomer"
        finally:
            self._goes_on.set()
            self.process.kill()
            self.process.communicate()
        return self.process.returncode, said


def is_write(method: str, path: str) -> bool:
    return method in ("PUT", "POST") and "list-type" not in path


STAGES = {
    "config": lambda method, path: is_write(method, path) and "config.json" in path,
    "rows": lambda method, path: is_write(method, path) and "/videos/" in path,
    "clips": lambda method, path: is_write(method, path) and CLIPS_FILE in path,
    "verdicts": lambda method, path: is_write(method, path) and VERDICTS_FILE in path,
    "reading back": lambda method, path: method == "HEAD" and VERDICTS_FILE in path,
    "summary": lambda method, path: is_write(method, path) and "/runs/" in path,
}


def check(stalled: Stalled, out: str, *, is_withdrawn: bool = False) -> None:
    """The run that took over writes all objects that the stalled one might write after it.

    With `is_withdrawn` not the row that the job was stopped at: its video is to have none.
    """
    foreign = {storage.join(out, name) for name in (VERDICTS_FILE, CLIPS_FILE, "config.json")}
    assert stalled.came()
    if "/videos/" in stalled.uri and not is_withdrawn:
        foreign.add(stalled.uri)
    status, said = stalled.taken_over(foreign)
    assert status == 4, said
    assert said.startswith("error: run newcomer (")
    assert "has taken" in said and said.count("\n") == 1
    assert {uri for uri in foreign if storage.read_bytes(uri) != FOREIGN} == set()
    if is_withdrawn:
        assert not storage.exists(stalled.uri)


QUICK = {"verdicts"}


@pytest.mark.parametrize(
    "stage",
    [one if one in QUICK else pytest.param(one, marks=pytest.mark.heavy) for one in STAGES],
)
def test_reduce(stage, bucket, proxy, tmp_path):
    make_output(str(tmp_path), {f"v{n}": [n / 10] for n in range(9)})
    out = f"s3://{bucket}/out"
    job = (ROOT / "jobs" / "reduce.py", tmp_path, "--out", out, "--reducer", "mean")
    check(Stalled(proxy, out, STAGES[stage], *job), out)


@pytest.mark.heavy
@pytest.mark.parametrize("stage", STAGES)
def test_score(stage, bucket, proxy, small_cohort):
    out = f"s3://{bucket}/out"
    check(Stalled(proxy, out, STAGES[stage], *score_of(small_cohort, out)), out)


@pytest.mark.heavy
@pytest.mark.parametrize("job", ["reduce", "score"])
def test_the_row_of_a_video_that_was_withdrawn_does_not_come_back(
    job, bucket, proxy, tmp_path, small_cohort
):
    out = f"s3://{bucket}/out"
    if job == "reduce":
        make_output(str(tmp_path / "in"), {f"v{n}": [n / 10] for n in range(9)})
        command = (ROOT / "jobs" / "reduce.py", tmp_path / "in", "--out", out, "--reducer", "mean")
    else:
        command = score_of(small_cohort, out)
    check(Stalled(proxy, out, STAGES["rows"], *command), out, is_withdrawn=True)


@pytest.mark.heavy
def test_rows_that_are_left_over_stay(bucket, proxy, small_cohort):
    """The run was stopped before it removed them; by now they may be those of another."""
    out = f"s3://{bucket}/out"
    first = subprocess.run([sys.executable, *map(str, score_of(small_cohort, out))], check=False)
    assert first.returncode == 0
    leftover = storage.join(out, "videos", next(iter(row_files(out))))
    other = leftover.rpartition("-")[0] + "-01234567.parquet"
    storage.write_whole(other, storage.read_bytes(leftover))
    stage = STAGES["verdicts"]
    check(Stalled(proxy, out, stage, *score_of(small_cohort, out)), out)
    assert storage.exists(other)
    proxy.hold = lambda method, path: None
    again = subprocess.run([sys.executable, *map(str, score_of(small_cohort, out))], check=False)
    assert again.returncode == 0 and not storage.exists(other) and len(verdicts(out)) == 4


def score_of(cohort: Path, out: str) -> tuple:
    return (
        ROOT / "jobs" / "score.py", "--videos", cohort, "--out", out, "--model", "tiny",
        "--max-failed", 1, "--decoders", 1,
    )  # fmt: skip
