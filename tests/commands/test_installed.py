"""The wheels, in environments without the clone: three commands from nothing to a report."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from environments import bare, build_wheel, closure, make_environment

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A clone, which is not on any path."""
    folder = tmp_path_factory.mktemp("source") / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=bare(), capture_output=True, text=True, check=False)


def test_the_wheel_of_the_sdist_scores_and_reports_from_another_folder(source, tmp_path):
    """Its packages are those of these tests: pip would load two gigabytes for the same ones."""
    build = f"import setuptools.build_meta as b; print(b.build_sdist({str(tmp_path)!r}))"
    made = subprocess.run(
        [sys.executable, "-c", build], cwd=source, check=True, capture_output=True, text=True
    )
    shutil.unpack_archive(tmp_path / made.stdout.split()[-1], tmp_path / "sdist", filter="data")
    (unpacked,) = (tmp_path / "sdist").iterdir()
    assert {"LICENSE", "NOTICE", "constraints.txt", "requirements.lock"} <= {
        path.name for path in unpacked.iterdir()
    }
    wheel = build_wheel(unpacked, tmp_path)
    needed = closure(metadata.requires("ah_ray") or ()) - {"ah-ray"}
    python = make_environment(tmp_path / "env", wheel, needed)

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    scored = run(python, "-m", "ah_ray", "score", "--demo", cwd=folder)
    assert scored.returncode == 0, scored.stderr
    assert "Timeline of" in scored.stdout
    (table,) = folder.rglob("verdicts.parquet")
    assert pq.read_table(table).num_rows > 5
    reported = run(python, "-m", "ah_ray", "report", "ah_ray_demo/scores", cwd=folder)
    assert reported.returncode == 0, reported.stderr
    (page,) = folder.rglob("*.html")
    assert page.name in reported.stdout
    assert str(ROOT) not in scored.stdout + scored.stderr


def test_pip_installs_the_light_wheel_with_the_hashes_of_the_lock(source, tmp_path):
    """The real pip, from a registry."""
    lock = (ROOT / "requirements.lock").read_text()
    parts = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    wanted = [part for part in parts if part.startswith(("pyarrow==", "fsspec=="))]
    (tmp_path / "locked.txt").write_text("".join(wanted))
    wheel = build_wheel(source / "light", tmp_path)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    pip = (tmp_path / "env" / "bin" / "python", "-m", "pip", "-q", "--retries", "1", "install")
    locked = run(*pip, "--require-hashes", "-r", tmp_path / "locked.txt", cwd=tmp_path)
    if "No matching distribution" in locked.stderr or "connection" in locked.stderr.lower():
        pytest.skip("needs a package registry")
    assert locked.returncode == 0, locked.stderr
    installed = run(*pip, "--no-index", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    program = tmp_path / "env" / "bin" / "ah-ray"
    assert (
        run(program, "--version", cwd=tmp_path).stdout == f"ah_ray {metadata.version('ah_ray')}\n"
    )
    imported = run(pip[0], "-c", "from ah_ray import read_verdicts", cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
