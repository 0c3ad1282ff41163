"""The proof on a GPU: what is on disk after each row, and all phases on a CPU."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gpu_record import Phase, Record

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
HEAD = {"card": "none", "commit": "0123456789ab"}


def phase(name: str, *rows, error: Exception | None = None, calls: list | None = None) -> Phase:
    def run():
        if calls is not None:
            calls.append(name)
        yield from rows
        if error is not None:
            raise error

    return Phase(name=name, run=run, predicted="much")


def read(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_a_phase_that_fails_costs_itself_only(tmp_path):
    record = Record(tmp_path, HEAD)
    record.run(
        [
            phase("first", {"rate": 1.0}, error=RuntimeError("CUDA error: misaligned address")),
            phase("second", {"rate": 2.5, "unit": "GB/s"}, {"rate": 3.0}),
        ],
        60,
    )
    found = read(tmp_path)["phases"]
    assert found["first"]["state"].startswith("failed: RuntimeError: ")
    assert found["first"]["rows"] == [{"rate": 1.0}]
    assert found["second"]["state"] == "done"
    page = (tmp_path / "results.md").read_text()
    assert page.startswith("card: none · commit: 0123456789ab\n")
    assert "Predicted: much" in page and "| 2.5 | GB/s |" in page and "| 3 | – |" in page


def test_finished_phases_are_not_run_again(tmp_path):
    calls: list[str] = []
    phases = [
        phase("first", {"n": 1}, calls=calls),
        phase("second", error=ValueError("no"), calls=calls),
    ]
    Record(tmp_path, HEAD).run(phases, 60)
    Record(tmp_path, HEAD).run(phases, 60)
    assert calls == ["first", "second", "second"]
    assert read(tmp_path)["phases"]["first"]["rows"] == [{"n": 1}]
    Record(tmp_path, HEAD | {"commit": "other"}).run(phases, 60)  # nothing of it counts there
    assert calls[3:] == ["first", "second"]


def test_rows_are_on_disk_at_once_and_time_ends(tmp_path):
    seen = []

    def run():
        yield {"n": 1}
        seen.append(read(tmp_path)["phases"]["slow"]["rows"])
        time.sleep(0.3)
        yield {"n": 2}
        yield {"n": 3}

    slow, last = Phase(name="slow", run=run), phase("last", {"n": 1})
    Record(tmp_path, HEAD).run([slow, last], 0.2)
    assert seen == [[{"n": 1}]]
    found = read(tmp_path)["phases"]
    assert found["slow"]["rows"] == [{"n": 1}, {"n": 2}]
    assert (found["slow"]["state"], found["last"]["state"]) == ("out of time", "out of time")
    assert found["last"]["rows"] == []


@pytest.mark.heavy
def test_all_phases_run_on_a_cpu(tmp_path):
    command = [sys.executable, "-P", str(BENCHMARK), "--tiny", "--minutes", "4", "--out", tmp_path]
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{BENCHMARK.parent}:{':'.join(sys.path)}",
    }
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=280, cwd="/", env=environment
    )
    assert ran.returncode == 0, ran.stderr
    phases = read(tmp_path)["phases"]
    assert {found["state"] for found in phases.values()} == {"done"}
    differences = phases["against transformers"]["rows"]
    assert all(row["max ΔP"] < 1e-4 and not row["answers changed"] for row in differences)
    assert phases["one clip in many packs"]["rows"][0]["max ΔP"] < 1e-4
    for row in phases["kernels against their twins"]["rows"]:
        assert isinstance(row["difference"], str) or row["difference"] < 1e-4
    assert phases["scoring at 64²"]["rows"][0]["clips/s"] > 0
    assert phases["kernels against their twins"]["rows"][-1]["kernel"] == "experts"
    shares = [float(row["share"].rstrip("%")) for row in phases["time by kernel"]["rows"]]
    assert len(shares) > 10 and sum(shares) == pytest.approx(100, abs=2)
    assert [row["part"] for row in phases["experts"]["rows"][2:4]] == [
        "first product, gathered and gated, ours", "all of the experts, ours",
    ]  # fmt: skip
    for name in ("fp8-experts", "fp8", "fp8-vision"):
        assert phases[name]["rows"][0]["max ΔP"] > 0
