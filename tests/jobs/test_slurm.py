"""jobs/slurm.sbatch on a real Slurm: two nodes of this machine, `a` for CPUs and `b` for GPUs."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from outputs import ROOT, run_score, verdicts
from slurm_cluster import Slurm, find_missing, slurm_cluster

from ah_ray.exit_status import ExitStatus

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

N_VIDEOS = 300
OURS = "#SBATCH --partition="


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    if missing := find_missing():
        pytest.skip(f"needs Slurm and munge ({missing} is missing): bash .ci/servers, as root")
    with slurm_cluster() as running:
        yield running


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that changes the lines marked CHANGE, as a user does."""

    def change(*lines: str) -> Path:
        """Put `lines` in place of the nodes' lines, one for each group."""
        before, after = re.split(
            rf"(?ms)^{OURS}.*{OURS}[^\n]*\n", (ROOT / "jobs/slurm.sbatch").read_text()
        )
        groups = "#SBATCH hetjob\n".join(f"{OURS}{line}\n" for line in lines)
        (tmp_path / "slurm.sbatch").write_text(before + groups + after)
        return tmp_path / "slurm.sbatch"

    return change


SMALL = "--ntasks-per-node=1 --cpus-per-task=2 --mem=2G"
CPU_AND_GPU = (
    f"cpu --nodes=1 {SMALL}",
    f"gpu --nodes=1 {SMALL.replace('2', '3')} --gpus-per-node=1",
)
BOTH_NODES = (f"all --nodes=2 {SMALL}",)


@dataclass(frozen=True, slots=True)
class Job:
    """A submitted job."""

    slurm: Slurm
    number: str
    folder: Path  # from which it was submitted

    @property
    def log(self) -> str:
        path = self.folder / f"ah_ray-{self.number}.log"
        return path.read_text() if path.exists() else ""

    @property
    def state(self) -> str:
        return self.slurm.facts(self.number)["JobState"]

    def wait_for(self, condition: Callable[[], object], limit_s: float = 420) -> None:
        """Return when `condition()` is true; fail, with the log, if that takes too long."""
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, f"not within {limit_s:.0f} s:\n{self.log}"
            time.sleep(0.3)

    def wait_for_end(self, limit_s: float = 420) -> str:
        """Return Slurm's exit code of a job that has left the queue."""

        def has_left() -> bool:
            # Slurm's backfill looks at jobs again when anything has changed, which is all the time
            # on other clusters. A heterogeneous job that was queued again waits for that.
            self.slurm.ask("scontrol", "update", "nodename=a", f"comment={time.monotonic()}")
            return not self.slurm.ask("squeue", "-h", "-j", self.number, check=False)

        self.wait_for(has_left, limit_s)
        return self.slurm.facts(self.number)["ExitCode"]

    def wait_for_rows(self, out: Path, n_rows: int = 5) -> None:
        self.wait_for(lambda: len(list(out.glob("videos/*.parquet"))) >= n_rows)

    def processes(self) -> list[str]:
        """Return the command lines of all processes that belong to it."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("SLURM_JOB_ID") == self.number:
                    found.append(" ".join(process.cmdline()))
        return found

    def assert_nothing_is_left(self) -> None:
        self.wait_for(lambda: not self.processes(), 30)
        assert not list(Path("/tmp").glob(f"ah_ray-{self.number}*"))


@pytest.fixture
def submit(slurm: Slurm, tmp_path: Path, monkeypatch) -> Iterator[Callable[..., Job]]:
    """Return a function that submits a script from an empty folder, and cancels the job at last."""
    jobs: list[Job] = []
    monkeypatch.setenv("AH_RAY_VENV", str(Path(sys.executable).parents[1]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOME", str(tmp_path))  # no keys of the user's

    def run(script: Path, *arguments: object, options: tuple[str, ...] = (), **env: str) -> Job:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        jobs.append(
            Job(
                slurm,
                slurm.ask("sbatch", "--parsable", *options, script, *arguments).strip(),
                tmp_path,
            )
        )
        return jobs[-1]

    yield run
    for job in jobs:
        slurm.ask("scancel", job.number, check=False)
        job.wait_for_end()


@pytest.fixture
def cohort(whole_cohort: Path, tmp_path: Path) -> Path:
    """A folder with more short videos than a job scores before a test stops it."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    for number in range(N_VIDEOS):
        os.link(whole_cohort / "visit-03/frozen picture.mp4", folder / f"{number:03}.mp4")
    return folder


def test_cpu_and_gpu_nodes_score_the_demonstration(script, submit, tmp_path):
    job = submit(script(*CPU_AND_GPU), "--demo")
    assert job.wait_for_end() == "0:0", job.log
    assert f"job {job.number}, restart 0, 2 nodes: a b" in job.log
    assert "Exit status 0: complete." in job.log
    assert "slurm.sbatch: error" not in job.log, job.log
    assert len(verdicts(tmp_path / "ah_ray_demo/scores")) == 14
    job.assert_nothing_is_left()


def test_the_file_as_it_is_asks_for_nodes_that_slurm_understands(slurm):
    answer = slurm.ask("sbatch", "--test-only", ROOT / "jobs/slurm.sbatch")
    assert "using 24 processors on a,b" in answer


def test_a_wrong_partition_is_one_sentence_of_slurm(slurm, script):
    answer = slurm.ask("sbatch", script(f"none --nodes=1 {SMALL}"), check=False)
    assert "invalid partition specified: none" in answer


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            {"AH_RAY_VENV": "/nowhere"},
            "AH_RAY_VENV: ah_ray is not installed in /nowhere, or a does",
        ),
        ({"AH_RAY_IMAGE": "/nowhere.sif"}, "AH_RAY_IMAGE: there is no file /nowhere.sif"),
        ({"AH_RAY_ENV": "/nowhere.env"}, "AH_RAY_ENV: there is no file /nowhere.env"),
        ({"AH_RAY_ENV": "open.env"}, "open.env must be yours: chmod 600 "),
        ({"AH_RAY_TMP": "/nowhere"}, "node [ab]: set AH_RAY_TMP to a folder of its own with room"),
        (
            {"AH_RAY_TMP": "small disk"},
            "node [ab]: set AH_RAY_TMP to a folder of its own with room",
        ),
        (
            {"AH_RAY_ENV": "private.env"},
            "node [ab]: set AH_RAY_TMP to a folder of its own with room",
        ),
    ],
    ids=lambda value: "-".join(value.values()).strip("/") if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_one_sentence_and_no_second_start(
    env, message, script, submit, tmp_path, request
):
    (tmp_path / "open.env").touch(mode=0o644)
    (tmp_path / "private.env").touch(mode=0o600)
    (tmp_path / "private.env").write_text("AH_RAY_TMP=/nowhere\n")  # so that it is seen to be read
    if "small disk" in env.values():
        env = {"AH_RAY_TMP": str(request.getfixturevalue("small_disk"))}
    job = submit(script(*BOTH_NODES), "--demo", **env)
    assert job.wait_for_end() == f"{ExitStatus.CONFIG}:0", job.log
    assert re.search(f"slurm.sbatch: error: .*{message}", job.log)
    assert "queued again" not in job.log
    job.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("answer", "n_tries"),
    [("No Ray is here.", 1), ("Exception: The current node timed out during startup.", 3)],
)
def test_a_node_on_which_ray_does_not_start_is_named(answer, n_tries, script, submit, tmp_path):
    programs, tries = tmp_path / "venv" / "bin", tmp_path / "tries"
    programs.mkdir(parents=True)
    scripts = {
        "python": f'exec {sys.executable} "$@"',
        "ray": f'echo $SLURMD_NODENAME >> "{tries}"; echo "{answer}"; false',
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    job = submit(script(*BOTH_NODES), "--demo", AH_RAY_VENV=str(programs.parent))
    assert job.wait_for_end() == f"{ExitStatus.CONFIG}:0", job.log
    assert f"slurm.sbatch: error: node a: Ray ended: {answer}" in job.log
    assert "error: the cluster did not start: a node of the cluster is lost" in job.log
    assert tries.read_text().split() == ["a"] * n_tries
    job.assert_nothing_is_left()


def test_a_limit_that_ends_before_the_start_is_an_error(slurm, script, submit):
    job = submit(script(*CPU_AND_GPU), "--demo")
    job.wait_for(lambda: f"job {job.number}, restart 0" in job.log)
    slurm.ask("scancel", "--batch", "--signal=TERM", job.number)
    assert job.wait_for_end() == f"{ExitStatus.CONFIG}:0", job.log
    assert "error: the cluster did not start: Slurm ends the job soon" in job.log
    assert "queued again" not in job.log
    job.assert_nothing_is_left()


@pytest.mark.heavy
def test_a_job_at_its_time_limit_goes_on_to_the_same_tables(
    slurm, script, submit, cohort, tmp_path
):
    out = tmp_path / "out"
    settings = ("--videos", cohort, "--model", "tiny", "--decoders", 1)
    options = ("--time=20", "--signal=B:TERM@45")
    job = submit(script(*BOTH_NODES), *settings, "--out", out, options=options, AH_RAY_GRACE_S="30")
    job.wait_for_rows(out)
    minutes = int(slurm.ask("squeue", "-h", "-j", job.number, "-o", "%M").split(":")[0])
    slurm.ask("scontrol", "update", f"jobid={job.number}", f"TimeLimit={minutes + 1}")
    job.wait_for(lambda: "queued again" in job.log)
    stopped = job.log
    assert "Slurm ends the job soon: the run stops, and what is complete is kept" in stopped
    assert "Exit status 3: rows are missing" in stopped
    assert 5 <= len(verdicts(out)) < N_VIDEOS
    slurm.ask("scontrol", "update", f"jobid={job.number}", "TimeLimit=20")
    assert job.wait_for_end(600) == "0:0", job.log
    assert slurm.facts(job.number)["Restarts"] == "1"
    assert job.log.startswith(stopped) and f"job {job.number}, restart 1" in job.log
    assert run_score(*settings, "--out", tmp_path / "whole", timeout_s=600).returncode == 0
    assert verdicts(out) == verdicts(tmp_path / "whole")
    job.assert_nothing_is_left()


@pytest.mark.heavy
@pytest.mark.parametrize("node", ["a", "b"])
def test_a_lost_raylet_ends_the_run_which_starts_again(node, script, submit, cohort, tmp_path):
    out = tmp_path / "out"
    job = submit(script(*CPU_AND_GPU), "--videos", cohort, "--out", out, "--model", "tiny")
    job.wait_for_rows(out)
    raylets = {name: find_raylets(job, name)[0] for name in "ab"}
    assert {name: store_mb(raylet) for name, raylet in raylets.items()} == {"a": 614, "b": 921}
    gpus = {name: raylet.environ().get("CUDA_VISIBLE_DEVICES") for name, raylet in raylets.items()}
    assert gpus == {"a": None, "b": "0"}
    raylets[node].kill()
    job.wait_for(lambda: "queued again" in job.log, 120)
    assert f"error: node {node}: Ray ended: raylet [exit code=-9]" in job.log
    assert "a node of the cluster is lost: the run stops, and what is complete is kept" in job.log
    assert job.wait_for_end(600) == "0:0", job.log
    assert len(verdicts(out)) == N_VIDEOS
    job.assert_nothing_is_left()


def store_mb(raylet: psutil.Process) -> int:
    """Return the size of a node's object store: 0.3 of the 2 or 3 GB that its group has."""
    (option,) = (part for part in raylet.cmdline() if part.startswith("--object_store_memory="))
    return int(option.partition("=")[2]) >> 20


def find_raylets(job: Job, node: str) -> list[psutil.Process]:
    socket = f"--raylet_socket_name=/tmp/ah_ray-{job.number}-{node}/"
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(part.startswith(socket) for part in process.info["cmdline"] or ())
        and process.info["cmdline"][0].endswith("/raylet")
    ]


@pytest.mark.heavy
def test_a_cancelled_job_leaves_nothing_and_is_not_started_again(
    slurm, script, submit, cohort, tmp_path
):
    out = tmp_path / "out"
    job = submit(script(*CPU_AND_GPU), "--videos", cohort, "--out", out, "--model", "tiny")
    job.wait_for_rows(out)
    slurm.ask("scancel", job.number)
    job.wait_for_end()
    assert job.state == "CANCELLED"
    assert "queued again" not in job.log
    job.assert_nothing_is_left()


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("signal", "restarts", "message"),
    [
        ("INT", "20", "stopped by hand: the run stops"),
        ("TERM", "0", "error: started again 0 times (AH_RAY_RESTARTS) and not complete"),
    ],
)
def test_a_job_that_is_not_to_go_on_keeps_its_rows_and_ends(
    signal, restarts, message, slurm, script, submit, cohort, tmp_path
):
    out = tmp_path / "out"
    settings = ("--videos", cohort, "--out", out, "--model", "tiny")
    job = submit(script(*CPU_AND_GPU), *settings, AH_RAY_RESTARTS=restarts)
    job.wait_for_rows(out)
    slurm.ask("scancel", "--batch", f"--signal={signal}", job.number)
    assert job.wait_for_end() == f"{ExitStatus.MISSING_ROWS}:0", job.log
    assert message in job.log and "queued again" not in job.log
    assert verdicts(out)
    job.assert_nothing_is_left()


@pytest.mark.heavy
def test_two_jobs_share_their_nodes_and_nothing_else(script, submit, cohort, tmp_path):
    """The first one scores; the second one waits for the lease of its output, and ends with 4."""
    settings = ("--videos", cohort, "--out", tmp_path / "out", "--model", "tiny", "--decoders", 1)
    first = submit(script(*BOTH_NODES), *settings)
    first.wait_for_rows(tmp_path / "out", 1)
    second = submit(script(*BOTH_NODES), *settings)
    second.wait_for(lambda: find_raylets(second, "a") and find_raylets(second, "b"))
    tokens = {find_raylets(job, "a")[0].environ()["RAY_AUTH_TOKEN"] for job in (first, second)}
    assert len(tokens) == 2
    assert not [line for line in command_lines() if any(token in line for token in tokens)]
    assert second.wait_for_end(600) == f"{ExitStatus.BUSY}:0", second.log
    second.assert_nothing_is_left()
    assert first.wait_for_end(600) == "0:0", first.log
    assert len(verdicts(tmp_path / "out")) == N_VIDEOS
    first.assert_nothing_is_left()


def command_lines() -> list[str]:
    """Return what every user of this machine sees of its processes."""
    return [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]


APPTAINER = """\
#!/bin/bash
# What the job asks of Apptainer, without a container.
[ "$1" = exec ] && [ "$2" = --bind ] && [ "$3" = /tmp ] && [ "$4" = "$AH_RAY_IMAGE" ] || exit 64
shift 4
PATH=$BIN_IN_IMAGE:$PATH exec "$@"
"""


@pytest.mark.heavy
def test_programs_run_in_the_image(script, submit, tmp_path, monkeypatch):
    """Apptainer itself is not packaged for Debian: a stand-in checks how it is called."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apptainer").write_text(APPTAINER)
    (tmp_path / "bin/apptainer").chmod(0o755)
    (tmp_path / "image.sif").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    job = submit(
        script(f"all --nodes=1 {SMALL}"), "--demo",
        AH_RAY_IMAGE=str(tmp_path / "image.sif"), AH_RAY_VENV="/nowhere",
        BIN_IN_IMAGE=str(Path(sys.executable).parent),
    )  # fmt: skip
    assert job.wait_for_end() == "0:0", job.log
    assert len(verdicts(tmp_path / "ah_ray_demo/scores")) == 14
    job.assert_nothing_is_left()
