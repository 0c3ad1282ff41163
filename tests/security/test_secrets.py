"""What opens a store is nowhere in what a run writes or says."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from outputs import score_job
from rich.console import Console

from ah_ray import storage
from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.pipeline.run import run

SECRET = "hunter2-hunter2"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": f"id-{SECRET}",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SECRET,
    "HF_TOKEN": SECRET,
    "RAY_AUTH_TOKEN_FOR_THIS_TEST": SECRET,
    "HTTPS_PROXY": f"http://jane:{SECRET}@127.0.0.1:9",
}


def ended(tmp_path: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RAY_"))}
    command = [*score_job(*arguments), "--model", "tiny", "--out", str(tmp_path / "out")]
    return subprocess.run(
        command,
        env={**env, **ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def holders(folder: Path) -> list[str]:
    """The files below a folder that hold the secret."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if SECRET.encode() in path.read_bytes()]


def test_the_environment_is_in_no_row_and_no_summary(tmp_path):
    """Of videos that are missing: they need no Ray."""
    (tmp_path / "cohort.csv").write_text("uri\ngone.mp4\n")
    job = ended(tmp_path, "--videos", tmp_path / "cohort.csv", "--max-failed", 1)
    assert job.returncode == 0, job.stderr
    assert list((tmp_path / "out" / "runs").iterdir())
    assert SECRET not in job.stdout + job.stderr
    assert not holders(tmp_path / "out")


@pytest.mark.heavy
def test_nor_in_what_ray_and_its_workers_wrote(tmp_path, small_cohort):
    with tempfile.TemporaryDirectory(prefix="r-") as session:  # a short path: it holds sockets
        job = ended(tmp_path, "--videos", small_cohort, "--max-failed", 1, RAY_TMPDIR=session)
        assert job.returncode == 0, job.stderr
        assert list(Path(session).rglob("*.log"))
        assert SECRET not in job.stdout + job.stderr
        assert not holders(tmp_path / "out")
        assert not holders(Path(session))


@pytest.mark.parametrize(
    "uri",
    [
        f"https://jane:{SECRET}@127.0.0.1:9/videos",
        f"s3://key:{SECRET}@bucket/videos",
        f"https://127.0.0.1:9/videos?X-Amz-Signature={SECRET}",
        f"nosuch://jane:{SECRET}@host/videos",
    ],
)
@pytest.mark.parametrize("name", ["videos", "out", "model"])
def test_a_uri_with_a_password_is_refused_and_not_repeated(tmp_path, uri, name):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    given = {"videos": str(tmp_path / "videos"), "out": str(tmp_path / "out"), "model": "tiny"}
    with pytest.raises(ConfigError) as caught:
        run(score_settings(**given | {name: uri}), Console(quiet=True))
    assert SECRET not in str(caught.value) and "…" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_endpoint_with_a_password_is_not_repeated(s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://jane:{SECRET}@127.0.0.1:9")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        storage.check_readable("s3://bucket/videos")
    assert SECRET not in str(caught.value)


def test_a_key_of_ids_is_in_no_output(tmp_path):
    (tmp_path / "key").write_text(SECRET * 2)
    (tmp_path / "cohort.csv").write_text("uri\ngone.mp4\n")
    given = {"videos": str(tmp_path / "cohort.csv"), "out": str(tmp_path / "out"), "model": "tiny"}
    run(score_settings(**given, id_key=str(tmp_path / "key")), Console(quiet=True))
    assert list((tmp_path / "out" / "runs").iterdir())
    assert not holders(tmp_path / "out")
