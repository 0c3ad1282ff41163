"""The command that measures the scorer, on a CPU with the tiny model."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(__file__).parent.parent.parent / "benchmarks" / "scorer.py"


@pytest.mark.heavy
def test_it_runs_and_packing_is_not_slower():
    ran = subprocess.run(
        [sys.executable, str(COMMAND), "--tiny"], capture_output=True, text=True, timeout=280
    )
    assert ran.returncode == 0, ran.stderr
    cells = [line.split("|")[1:-1] for line in ran.stdout.splitlines() if line.startswith("| ")]
    rates = {
        tuple(cell.strip() for cell in row[:3]): float(row[3])
        for row in cells
        if row[3].strip().replace(".", "").isdigit()
    }
    for size in ("64²", "128×96"):
        alone = rates[size, "float32", "**ours**, alone"]
        packed = max(
            rate
            for (s, a, way), rate in rates.items()
            if (s, a) == (size, "float32") and "packs" in way
        )
        assert packed >= alone
    assert "fp8 against float32 on random weights: P(A/H) differs by" in ran.stdout
