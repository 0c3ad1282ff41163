"""A job that is stopped in any way leaves no byte of a recording on the machine."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from outputs import score_job

pytestmark = pytest.mark.heavy

N_VIDEOS = 12
BUCKET = "leftovers"
SERVER = "caged.server"


@pytest.fixture
def recordings(s3_client, whole_cohort) -> str:
    """A prefix of a bucket with recordings, so that copies of them must come to this machine."""
    s3_client.create_bucket(Bucket=BUCKET)
    source = whole_cohort / "visit-01/answer 1.mp4"
    for number in range(N_VIDEOS):
        s3_client.upload_file(str(source), BUCKET, f"cohort/{number:02}.mp4")
    return f"s3://{BUCKET}/cohort"


def open_recordings(folder: Path) -> list[str]:
    """Return the recordings in a folder that processes have open, with a name or without one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith(f"{folder}/") and is_recording(entry):
            found.append(target)
    return found


def is_recording(path: Path) -> bool:
    """Return whether a plain file begins as an MP4 does."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ftyp"
    except OSError:
        return False


def family_of(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def titled(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def hold_decoding(process: subprocess.Popen) -> None:
    """Suspend a child that decodes, so that its recording is open until the job is stopped."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for one in family_of(process):
            with contextlib.suppress(psutil.Error):
                if SERVER in titled(one) and SERVER in titled(one.parent()):
                    one.suspend()
                    return
        time.sleep(0.002)
    raise AssertionError("no child decodes")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "stop", ["Ctrl-C", "SIGTERM", "--deadline", "kill driver", "kill actor", "kill child"]
)
def test_a_stopped_job_leaves_no_byte_of_a_recording(stop, recordings, tmp_path, monkeypatch):
    folder = Path(tempfile.mkdtemp(prefix="left-", dir="/tmp"))  # Ray's sockets need a short one
    monkeypatch.setenv("TMPDIR", str(folder))
    options = ["--decoders", 1, "--max-failed", 1]
    command = score_job(
        "--videos", recordings, "--out", tmp_path / "out", "--model", "tiny", *options
    )
    if stop == "--deadline":  # by then even a slow machine decodes
        at = datetime.now().astimezone() + timedelta(seconds=150)
        command += ["--deadline", at.isoformat(), "--timeout-s", "600"]
    said = (tmp_path / "said.txt").open("w+")
    process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 200
        while not open_recordings(folder) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        assert process.poll() is None, (tmp_path / "said.txt").read_text()
        if stop == "--deadline":
            hold_decoding(process)
        family = family_of(process)
        if stop in ("Ctrl-C", "SIGTERM"):
            process.send_signal(signal.SIGINT if stop == "Ctrl-C" else signal.SIGTERM)
        elif stop == "kill driver":
            process.kill()
        elif stop in ("kill actor", "kill child"):
            words = "(Decoder)" if stop == "kill actor" else SERVER
            victims = [one for one in family if words in titled(one)]
            assert victims
            for one in victims:
                one.kill()
        process.wait(240)
        psutil.wait_procs(family, timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert not open_recordings(folder)
    left = [path for path in folder.rglob("*") if is_recording(path)]
    assert not left
    shutil.rmtree(folder, ignore_errors=True)
