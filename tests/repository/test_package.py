"""What an installed copy of the package contains and needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from documents import ROOT, tracked_files
from environments import build_wheel

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
"""Files beside the package without which it cannot be built."""
EXTRAS = PROJECT["optional-dependencies"]


def normalized(requirement: str) -> str:
    """Return the name of a requirement as registries write it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory) -> set[str]:
    """Return the names of the files in a wheel that is built from a copy of the tracked files."""
    source, wheels = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for name in tracked_files():
        if name.startswith("ah_ray/") or name in NEEDED:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    return set(zipfile.ZipFile(build_wheel(source, wheels)).namelist())


def test_a_wheel_has_every_file_of_the_package(wheel_files):
    expected = {name for name in tracked_files() if name.startswith("ah_ray/")}
    assert expected - wheel_files <= {"ah_ray/omni/tiny/MODEL_CARD.md"}


def test_a_wheel_has_the_licences(wheel_files):
    licences = {name.rpartition("/")[2] for name in wheel_files if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_type_checkers_read_the_package_types(wheel_files):
    assert "ah_ray/py.typed" in wheel_files


def test_the_tested_set_pins_all_that_is_declared():
    pinned = {
        normalized(line)
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    declared = [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]
    # torch's CUDA builds pin the Triton that fits them, so the tested set must not pin another; and
    # an extra may name others of this package.
    left_out = {"triton", normalized("ah_ray")}
    assert {normalized(requirement) for requirement in declared} - left_out <= pinned


def test_the_library_that_has_an_advisory_never_loads_the_part_that_it_is_about(tmp_path: Path):
    """CVE-2025-50817: `future.standard_library` imports a file `test.py` of the current folder."""
    (tmp_path / "test.py").write_text("raise SystemExit('test.py was imported')")
    program = (
        "import sys; sys.path.insert(0, '')\n"
        "import ah_ray, ah_ray.media.ffmpeg.clip_files, ah_ray.media.ffmpeg.synthetic\n"
        "import ffmpeg, ffmpeg._ffmpeg, ffmpeg._filters, ffmpeg._probe, ffmpeg._run, ffmpeg._view\n"
        "ffmpeg.input('a').filter('scale', 1, 1).output('b').compile()\n"
        "loaded = [name for name in sys.modules if name.startswith('future.standard_library')]\n"
        "assert 'past.builtins' in sys.modules and not loaded, loaded\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
