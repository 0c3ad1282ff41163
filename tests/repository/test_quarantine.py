"""Tests that fail by chance are named, with a reason; nothing else may fail or is run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from documents import ROOT, test_functions
from quarantine import FILE, read_quarantine


def run_pytest(folder: Path, quarantine: str) -> subprocess.CompletedProcess[str]:
    (folder / "quarantine.toml").write_text(quarantine)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_example.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', [0, 1])\n"
        "def test_chance(number): assert number\n"
        "def test_other(): assert True\n"
    )
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "quarantine", "test_example.py"]
    return subprocess.run(
        [*command, "--quarantine", "quarantine.toml"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
    )


def test_a_test_in_quarantine_may_fail_and_its_reason_is_printed(tmp_path):
    done = run_pytest(tmp_path, '["test_example.py::test_chance"]\nreason = "a coin is thrown"\n')
    assert done.returncode == 0, done.stdout
    assert "2 passed" not in done.stdout and "1 xfailed" in done.stdout
    assert "a coin is thrown" in done.stdout


def test_any_other_failure_counts(tmp_path):
    assert run_pytest(tmp_path, "").returncode == 1


def test_every_entry_names_a_test_and_says_why():
    for name, entry in read_quarantine(FILE).items():
        file, _, function = name.partition("::")
        assert function in test_functions(ROOT / file), name
        assert entry.keys() == {"reason", "since"} and len(entry["reason"]) > 20, name


def test_continuous_integration_runs_no_failed_test_again():
    for name in ("run", "test", "check"):
        script = (ROOT / ".ci" / name).read_text()
        assert "--last-failed" not in script and "--reruns" not in script
        assert "|| .venv/bin/pytest" not in script and "pytest ||" not in script
