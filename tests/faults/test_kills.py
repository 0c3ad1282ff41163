"""Real processes, killed in the middle of a run; the same command afterwards makes it whole."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from outputs import clips, row_files, run_score, score_job, verdicts

import ah_ray
from ah_ray.output.embeddings.files import kept_names

pytestmark = pytest.mark.heavy

N_VIDEOS = 16
WHY = "tiny-why"  # several questions, so that all columns and tables are compared
PACE = ("--decoders", 1, "--max-failed", 1, "--profile", WHY, "--keep-embeddings")


@pytest.fixture(scope="module")
def cohort(whole_cohort, tmp_path_factory) -> Path:
    """Enough videos that a run can be caught in the middle; every eighth cannot be scored."""
    folder = tmp_path_factory.mktemp("kills")
    good = [whole_cohort / f"visit-01/answer {n}.mp4" for n in (1, 2, 3)]
    for n in range(N_VIDEOS):
        source = whole_cohort / "visit-03/a letter.mp4" if n % 8 == 7 else good[n % 3]
        shutil.copy(source, folder / f"{n:02}.mp4")
    return folder


@pytest.fixture(scope="module")
def undisturbed(cohort, ray_session, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    ah_ray.score(
        videos=str(cohort),
        out=str(out),
        model="tiny",
        profile=WHY,
        max_failed=1.0,
        keep_embeddings=True,
    )
    return out


class Running:
    """A run of jobs/score.py in a process of its own, started so that it can be disturbed."""

    def __init__(self, cohort: Path, out: Path):
        self.out = out
        command = score_job("--videos", cohort, "--out", out, "--model", "tiny", *PACE)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_for_rows(self, n: int, limit_s: float = 200) -> None:
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            assert self.process.poll() is None, self.process.stdout.read()
            if sum(1 for _ in (self.out / "videos").glob("*.parquet")) >= n:
                return
            time.sleep(0.02)
        raise TimeoutError(f"fewer than {n} rows after {limit_s} s")

    def wait_for_actor(self, name: str, limit_s: float = 200) -> psutil.Process:
        """A Ray actor of this run that is at work, by what it is doing."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if name in _title(child):
                    return child
            time.sleep(0.02)
        raise TimeoutError(f"no {name} after {limit_s} s")

    def end(self, limit_s: float = 240) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=limit_s)
        return self.process.returncode, output


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def assert_same(out: Path, undisturbed: Path) -> None:
    expected = verdicts(undisturbed)
    different = {
        (video_id, name, row[name], expected[video_id][name])
        for video_id, row in verdicts(out).items()
        for name in row
        if row[name] != expected[video_id][name]
    }
    assert not different
    assert verdicts(out).keys() == expected.keys()
    assert clips(out) == clips(undisturbed)
    assert ah_ray.read_answers(str(out)) == ah_ray.read_answers(str(undisturbed))
    assert row_files(out).keys() == row_files(undisturbed).keys()
    assert ah_ray.read_embeddings(str(out)) == ah_ray.read_embeddings(str(undisturbed))
    assert kept_names(str(out)) == row_files(out).keys(), "each row has its own, and nothing else"


def test_kill_9_of_the_driver_then_the_same_command(cohort, undisturbed, tmp_path):
    running = Running(cohort, tmp_path)
    running.wait_for_rows(4)
    family = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    running.end()
    before = row_files(tmp_path)
    assert 4 <= len(before) < N_VIDEOS, "the kill came too late to show anything"

    again = run_score("--videos", cohort, "--out", tmp_path, "--model", "tiny", *PACE)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "watching" not in again.stdout, "it must not wait for the lease of a dead process"
    after = row_files(tmp_path)
    assert {name: after[name] for name in before} == before, "a committed video was scored again"
    assert_same(tmp_path, undisturbed)
    _, alive = psutil.wait_procs(family, timeout=30)
    left = [process for process in alive if "Agent" not in _title(process)]  # Ray's are slow to go
    assert not left, "the killed driver left processes behind"


@pytest.mark.parametrize(
    ("victim", "after_rows"),
    [
        ("(Decoder)).submit", 0),
        pytest.param("(Replica))", 2, marks=pytest.mark.long),
        pytest.param("Reducer", 2, marks=pytest.mark.long),
    ],
)
def test_kill_9_of_an_actor(victim, after_rows, cohort, undisturbed, tmp_path):
    running = Running(cohort, tmp_path)
    running.wait_for_rows(after_rows)
    running.wait_for_actor(victim).kill()
    status, output = running.end()
    assert status == 0, output
    assert_same(tmp_path, undisturbed)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_signal_stops_cleanly_and_the_next_run_goes_on(number, cohort, undisturbed, tmp_path):
    running = Running(cohort, tmp_path)
    running.wait_for_rows(3)
    running.process.send_signal(number)
    status, output = running.end()
    assert status == 3, output
    assert "Traceback" not in output
    kept = verdicts(tmp_path)
    assert 3 <= len(kept) < N_VIDEOS
    assert len(kept) == len(row_files(tmp_path)), "the tables hold what is complete"
    again = run_score("--videos", cohort, "--out", tmp_path, "--model", "tiny", *PACE)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_same(tmp_path, undisturbed)


def test_two_runs_on_one_output(cohort, tmp_path):
    running = Running(cohort, tmp_path)
    try:
        running.wait_for_rows(1)
        running.process.send_signal(signal.SIGSTOP)  # alive, and in no hurry
        holder = _when_renewed(running, lambda: run_score(
            "--videos", cohort, "--out", tmp_path, "--model", "tiny", *PACE
        ))  # fmt: skip
        assert holder.returncode == 4, holder.stdout + holder.stderr
        assert "watching" in holder.stdout
        assert f"process {running.process.pid} " in holder.stderr
        assert len(holder.stderr.splitlines()) == 1
    finally:
        running.process.send_signal(signal.SIGCONT)
        running.end()


def _when_renewed(running: Running, start: Callable) -> subprocess.CompletedProcess:
    """Runs `start` while the holder, stopped otherwise, renews its lease once in a while."""
    import threading

    over = threading.Event()

    def breathe() -> None:
        while not over.wait(4):
            running.process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
            running.process.send_signal(signal.SIGSTOP)

    breath = threading.Thread(target=breathe)
    breath.start()
    try:
        return start()
    finally:
        over.set()
        breath.join()
