"""jobs/train.py as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from in_process import run_here
from rich.console import Console

from ah_ray.output.lease import Lease, read_holder
from ah_ray.output.read import read_verdicts
from ah_ray.training import demo
from ah_ray.training.demo import draw_videos, write_demo_labels

REPOSITORY = Path(__file__).parents[2]
FEW = {"train": 6, "val": 2}
QUICK = ("--profile", "tiny", "--batch", "8", "--learning-rate", "1e-3", "--workers", "1")


def train(*flags: object, **options: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "jobs/train.py", *map(str, flags)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=REPOSITORY, timeout=280, **options
    )


@pytest.fixture(scope="module")
def labels(tmp_path_factory, ray_session) -> Path:
    """A labelled manifest of a few drawn videos."""
    folder = tmp_path_factory.mktemp("labelled")
    draw_videos(folder / "videos", FEW, Console(quiet=True))
    write_demo_labels(folder / "labels", folder / "videos", FEW)
    return folder / "labels"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "--labels is missing: --labels, --model and --out (or --demo and --out) are needed"),
        (("--labels", "x", "--model", "tiny", "--out", "y", "--method", "sft"), "--method:"),
        (("--labels", "nowhere", "--model", "tiny", "--out", "y"), "no output of jobs/prepare.py"),
        (("--labels", "x", "--model", "absent", "--out", "y"), "no such directory"),
        (("--labels", "x", "--model", "tiny", "--out", "y", "--simple-epochs", "1"),
         "leaves no epoch"),
        (("--demo",), "--out is missing"),
        (("--demo", "--model", "tiny", "--out", "y"), "leave out --model"),
    ],
)  # fmt: skip
def test_wrong_configuration_is_one_sentence(flags, told):
    done = run_here("train", *flags)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def rows(out: Path) -> dict[int, float]:
    """Loss by step."""
    table = pq.read_table(out / "metrics.parquet").to_pylist()
    return {row["step"]: row["loss"] for row in table if row["loss"] is not None}


@pytest.fixture(scope="module")
def undisturbed(labels, tmp_path_factory) -> Path:
    """Six steps of full-parameter training."""
    out = tmp_path_factory.mktemp("full")
    done = train("--labels", labels, "--model", "tiny", "--out", out, *FULL)
    assert done.returncode == 0, done.stderr
    for told in ("Method", "995,024 of 995,024", "Steps", "Model", "Score with it"):
        assert told in done.stdout
    return out


FULL = (
    "--method", "full", "--train-towers", *QUICK, "--max-steps", "6", "--evaluate-every", "2",
    "--seed", "5", "--modality-dropout", "0.5",
)  # fmt: skip


@pytest.mark.heavy
def test_a_killed_worker_changes_nothing(labels, undisturbed, tmp_path):
    command = [
        sys.executable, "jobs/train.py", "--labels", labels, "--model", "tiny", "--out", tmp_path,
        *FULL,
    ]  # fmt: skip
    job = subprocess.Popen(list(map(str, command)), cwd=REPOSITORY, stdout=subprocess.PIPE)
    until = time.monotonic() + 200
    kept = tmp_path / "state" / "checkpoint_manager_snapshot.json"
    while not (kept.exists() and "checkpoint_20" in kept.read_text()):  # what a restart goes by
        assert time.monotonic() < until and job.poll() is None
        time.sleep(0.2)
    workers = [
        child
        for child in psutil.Process(job.pid).children(recursive=True)
        if "RayTrainWorker" in " ".join(child.cmdline())
    ]
    assert workers
    workers[0].kill()
    said = job.communicate(timeout=280)[0].decode()
    assert job.returncode == 0
    assert "going on after step" in said
    expected, found = rows(undisturbed), rows(tmp_path)
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=1e-5, rtol=0)
    models = [(out / "model" / "model.safetensors").read_bytes() for out in (undisturbed, tmp_path)]
    assert models[0] == models[1]


@pytest.mark.heavy
@pytest.mark.long
def test_ctrl_c_is_said_and_leaves_what_it_has(labels, tmp_path):
    command = [sys.executable, "jobs/train.py", "--labels", labels, "--model", "tiny"]
    command += ["--out", tmp_path, *FULL, "--epochs", "50"]
    command.remove("--max-steps"), command.remove("6")
    job = subprocess.Popen(
        list(map(str, command)), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 200
    kept = tmp_path / "state" / "checkpoint_manager_snapshot.json"
    while not kept.exists():
        assert time.monotonic() < until and job.poll() is None
        time.sleep(0.2)
    job.send_signal(signal.SIGINT)
    said = job.communicate(timeout=60)[1].decode()
    assert job.returncode == 3, said
    assert said.strip() == "error: stopped. Run it again to go on"


IMPATIENT = """
import runpy, sys
from ah_ray.output import lease
lease.STALE_S = 2.0
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.heavy
def test_a_training_that_was_stalled_leaves_out_to_the_one_that_took_over(labels, tmp_path):
    """The driver is stopped; its workers, which are not, learn it from the lease."""
    command = [sys.executable, "-c", IMPATIENT, "jobs/train.py", "--labels", labels]
    command += ["--model", "tiny", "--out", tmp_path, *FULL, "--epochs", "50"]
    command.remove("--max-steps"), command.remove("6")
    job = subprocess.Popen(
        list(map(str, command)), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 200
        while not (tmp_path / "state" / "checkpoint_manager_snapshot.json").exists():
            assert time.monotonic() < until and job.poll() is None
            time.sleep(0.2)
        job.send_signal(signal.SIGSTOP)
        with Lease.acquire(str(tmp_path), "newcomer"):
            (tmp_path / "metrics.parquet").write_bytes(b"of the newcomer")
            (tmp_path / "lost.json").write_bytes(b"of the newcomer")
            job.send_signal(signal.SIGCONT)
            said = job.communicate(timeout=120)[1].decode()
            assert read_holder(str(tmp_path)).run_id == "newcomer"
    finally:
        job.kill()
        job.communicate()
    assert job.returncode == 4, said
    assert said.startswith("error: run newcomer (") and "has taken" in said
    assert len(said.strip().splitlines()) == 1
    for name in ("metrics.parquet", "lost.json"):
        assert (tmp_path / name).read_bytes() == b"of the newcomer"
    assert not (tmp_path / "model").exists()


@pytest.mark.heavy
@pytest.mark.long
def test_two_workers_learn_what_one_does(labels, undisturbed, tmp_path):
    flags = [*FULL, "--workers", "2", "--worker-cpus", "0.5"]
    done = train("--labels", labels, "--model", "tiny", "--out", tmp_path, *flags)
    assert done.returncode == 0, done.stderr
    expected, found = rows(undisturbed), rows(tmp_path)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=2e-4, rtol=1e-4)


@pytest.mark.heavy
@pytest.mark.long
def test_again_there_is_nothing_to_do_and_other_settings_are_refused(labels, undisturbed):
    done = train("--labels", labels, "--model", "tiny", "--out", undisturbed, *FULL)
    assert (done.returncode, "nothing to do" in done.stdout) == (0, True)
    (undisturbed / "model" / "training.json").rename(undisturbed / "kept.json")
    try:
        done = train(
            "--labels", labels, "--model", "tiny", "--out", undisturbed, *FULL, "--seed", 6
        )
        assert done.returncode == 2
        assert "training of other settings (settings.seed)" in done.stderr
    finally:
        (undisturbed / "kept.json").rename(undisturbed / "model" / "training.json")


@pytest.mark.heavy
def test_lora_into_a_bucket_and_scored(labels, bucket, tmp_path):
    out = f"s3://{bucket}/lora"
    flags = (*QUICK, "--max-steps", "2", "--method", "lora")
    done = train("--labels", labels, "--model", "tiny", "--out", out, *flags, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    command = [
        sys.executable, "jobs/score.py", "--videos", str(labels.parent / "videos"),
        "--out", str(tmp_path / "scores"), "--model", "tiny", "--adapter", f"{out}/adapter",
        "--model-cache", str(tmp_path / "cache"), "--limit", "2",
    ]  # fmt: skip
    scored = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=280)
    assert scored.returncode == 3, scored.stderr
    (model,) = set(read_verdicts(str(tmp_path / "scores"))["model"].to_pylist())
    assert model == "tiny+adapter"


@pytest.mark.heavy
def test_plan_starts_nothing(labels, tmp_path):
    done = train("--labels", labels, "--model", "tiny", "--out", tmp_path / "out", *QUICK, "--plan")
    assert done.returncode == 0, done.stderr
    assert "windows" in done.stdout and "GB a worker" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_drawn_labels_say_what_was_drawn(labels):
    windows = pq.read_table(labels / "windows.parquet").to_pylist()
    by_span: dict[tuple, dict] = {}
    for row in windows:
        by_span.setdefault((row["uri"], row["start_s"]), {})[row["question"]] = row["label"]
    for asked in by_span.values():
        smile, rise = (
            next(v for q, v in asked.items() if q and w in q) for w in ("smile", "voice")
        )
        assert asked[None] == (smile != rise)
    assert {row["split"] for row in windows} == set(FEW)
    assert json.loads((labels / "prepared.json").read_text())["data_fingerprint"]
    assert demo.make_scenes("train", 1) != demo.make_scenes("test", 1)


def few_steps(labels: Path, out: Path, *flags: object) -> subprocess.CompletedProcess:
    """Two steps of LoRA on 8 windows each."""
    return train(
        "--labels", labels, "--model", "tiny", "--out", out, *QUICK, "--max-steps", 2, *flags
    )


@pytest.fixture
def moved(labels, tmp_path) -> Path:
    """The recordings of the labels, which a test may take away: a copy of both."""
    shutil.copytree(labels.parent / "videos", tmp_path / "videos")
    write_demo_labels(tmp_path / "labels", tmp_path / "videos", FEW)
    return tmp_path


@pytest.mark.heavy
def test_a_training_on_nothing_stops_and_begins_again_when_the_recordings_are_back(moved):
    (moved / "videos").rename(moved / "elsewhere")
    done = few_steps(moved / "labels", moved / "out")
    assert done.returncode == 3, done.stderr
    assert (
        "windows of the split `train` could not be decoded, more than --max-lost 0.02"
        in done.stderr
    )
    assert "train-000" in done.stderr and "no such object" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (moved / "out" / "adapter").exists()
    lost = json.loads((moved / "out" / "lost.json").read_text())
    assert lost and {row["split"] for row in lost} == {"train"}
    # Even who allows every loss gets no model that learned nothing.
    assert few_steps(moved / "labels", moved / "out", "--max-lost", 1).returncode == 3
    (moved / "elsewhere").rename(moved / "videos")
    done = few_steps(moved / "labels", moved / "out")
    assert done.returncode == 0, done.stderr
    assert not (moved / "out" / "lost.json").exists()
    about = json.loads((moved / "out" / "adapter" / "training.json").read_text())
    assert about["lost"] == {"train_windows": 0, "val_windows": 0}
    assert [(one["use"], one["split"]) for one in about["learned_from"]] == [
        ("training", "train"), ("choice of the checkpoint", "val"),
    ]  # fmt: skip
    assert rows(moved / "out").keys() == {1, 2}
    assert "nothing to do" in few_steps(moved / "labels", moved / "out").stdout


@pytest.mark.heavy
def test_some_losses_are_recorded_and_such_a_result_is_not_done(moved):
    (moved / "videos" / "val-0001.mp4").rename(moved / "kept.mp4")
    done = few_steps(moved / "labels", moved / "out")
    assert done.returncode == 3 and "of the split `val`" in done.stderr
    done = few_steps(moved / "labels", moved / "out", "--max-lost", 0.9)
    assert done.returncode == 0, done.stderr
    assert "windows could not be decoded, and are listed in" in done.stdout
    about = json.loads((moved / "out" / "adapter" / "training.json").read_text())
    claimed = json.loads((moved / "out" / "settings.json").read_text())["labels"]
    n_lost = about["lost"]["val_windows"]
    assert n_lost > 0 and about["labels"]["val_windows"] == claimed["val_windows"] - n_lost
    (moved / "kept.mp4").rename(moved / "videos" / "val-0001.mp4")
    done = few_steps(moved / "labels", moved / "out")
    assert (done.returncode, "training again from the start" in done.stdout) == (0, True), (
        done.stderr
    )
    about = json.loads((moved / "out" / "adapter" / "training.json").read_text())
    assert about["lost"] == {"train_windows": 0, "val_windows": 0}


@pytest.mark.heavy
def test_a_machine_without_memory_is_exit_3(labels, tmp_path):
    """Ray's own monitor ends the first process that it looks at."""
    short = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "200"}
    done = train(
        "--labels", labels, "--model", "tiny", "--out", tmp_path, *QUICK, "--max-failures", 0,
        env=os.environ | short,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "machine ran out of memory" in done.stderr and "fewer --decoders" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
