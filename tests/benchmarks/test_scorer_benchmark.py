"""The command that measures the scorer, on a CPU with the tiny model."""

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import scorer as benchmark

from ah_ray.interfaces.scorer import CALLS_AT_ONCE, CLIPS_PER_GPU_CALL

COMMAND = Path(__file__).parent.parent.parent / "benchmarks" / "scorer.py"


def test_clips_come_as_the_pipeline_brings_them():
    """Packs would be starved if fewer clips came at once than on a GPU of the pipeline."""
    calls, at_once, most = [], 0, 0
    both_are_there = threading.Barrier(CALLS_AT_ONCE)

    class Scorer:
        def score(self, clips):
            nonlocal at_once, most
            at_once += 1
            both_are_there.wait(timeout=60)
            most = max(most, at_once)
            calls.append(len(clips))
            at_once -= 1
            return [SimpleNamespace(p_ah=clip) for clip in clips]

    clips = list(range(4 * CLIPS_PER_GPU_CALL))
    assert benchmark.score_all(Scorer(), clips) == clips
    assert calls == [CLIPS_PER_GPU_CALL] * 4 and most == CALLS_AT_ONCE
    assert benchmark.FULL.n_clips >= 4 * CALLS_AT_ONCE * CLIPS_PER_GPU_CALL


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
    assert "fp8 against float32 on random weights: p_ah differs by" in ran.stdout
