"""A few seeds of chaos.py; its thirty are in benchmarks/README.md."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy


@pytest.mark.timeout(600)
def test_tables_equal_those_of_an_undisturbed_run():
    command = [sys.executable, Path(__file__).with_name("chaos.py"), "--seeds", "11-12"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("| the same tables |") == 2
