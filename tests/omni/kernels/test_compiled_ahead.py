"""What every kernel takes on an H100 or H200, compiled without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MOST_SHARED_BYTES = 232_448
"""What a kernel of capability 9.0 may ask for. More compiles, and cannot be launched."""

PROGRAM = Path(__file__).parent / "compile_ahead.py"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict[str, dict]:
    environment = dict(os.environ, TRITON_CACHE_DIR=str(tmp_path_factory.mktemp("cache")))
    environment.pop("TRITON_INTERPRET", None)
    environment["TRITON_DEFAULT_FP_FUSION"] = "1"
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    ran = subprocess.run(
        [sys.executable, "-P", str(PROGRAM)], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    return {found["name"]: found for found in map(json.loads, ran.stdout.splitlines())}


@pytest.mark.heavy
def test_every_kernel_can_be_launched_and_spills_nothing(compiled):
    assert len(compiled) == 12 + 16
    for name, found in compiled.items():
        assert found["shared"] <= MOST_SHARED_BYTES, name
        assert found["spilled"] == 0, name
        assert found["registers"] <= 255, name


@pytest.mark.heavy
def test_products_run_on_tensor_cores_and_keep_steps_in_flight(compiled):
    """A step of a large tile takes 48 KB: less means that loads wait for products."""
    for name, found in compiled.items():
        if "of 2 bytes" in name:
            assert found["tensor"] == ["HGMMA"], name
        elif "of 1 bytes" in name:
            assert found["tensor"] == ["QGMMA"], name
        else:
            assert found["tensor"] == [], name
            continue
        assert found["shared"] >= 3 * 16_384, name
