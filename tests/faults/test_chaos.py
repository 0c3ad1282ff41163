"""A few seeds of chaos.py; all are in benchmarks/README.md."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [11, 31, pytest.param(12, marks=pytest.mark.long)])
def test_tables_equal_those_of_an_undisturbed_run(seed):
    command = [sys.executable, Path(__file__).with_name("chaos.py"), "--seeds", f"{seed}-{seed}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("| the same tables |") == 1
