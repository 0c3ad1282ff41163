"""CI fails where somebody has committed the markers of a merge that was not finished."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from outputs import ROOT

OURS, THEIRS = "<" * 7 + " HEAD", ">" * 7 + " other"


@pytest.fixture
def clone(tmp_path) -> Path:
    """A repository of its own with what CI checks and one file."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "check", tmp_path / ".ci" / "check")
    (tmp_path / "README.md").write_text("No command of tests is named here.\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def ci(clone: Path) -> subprocess.CompletedProcess:
    """Run .ci/check to its first failure."""
    subprocess.run(["git", "add", "-A"], cwd=clone, check=True)
    (clone / ".git" / "tools").mkdir(exist_ok=True)
    browser = clone / ".git" / "tools" / "chromium"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    (clone / ".venv").mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", ".ci/check"],
        cwd=clone,
        env={"PATH": f"{browser.parent}:/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("marker", [OURS, THEIRS])
@pytest.mark.parametrize("place", ["ah_ray/x.py", "docs/x.md", "notes"])
def test_a_marker_anywhere_fails(clone, place, marker):
    (clone / place).parent.mkdir(exist_ok=True)
    (clone / place).write_text(f"before\n{marker}\nafter\n")
    done = ci(clone)
    assert done.returncode == 1
    assert f"{place}:2:{marker}" in done.stdout
    assert "conflict markers are committed" in done.stderr


def test_what_only_looks_like_one_does_not(clone):
    (clone / "x.md").write_text(f"a {OURS}\n{'<' * 8} x\n=======\n")
    assert "conflict markers" not in ci(clone).stderr
