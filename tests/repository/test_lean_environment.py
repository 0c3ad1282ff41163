"""The scorer and what measures it in real environments without Ray, clients of stores and ffmpeg.

The first has this environment's own packages, linked one by one, but only those that a machine with
a GPU has. The second, of another Python, is installed by `bash .ci/servers lean`: some GB.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_clips import draw_clip
from environments import closure, make_environment

from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".servers" / "venv-lean" / "bin" / "python"
ABSENT = ("ray", "s3fs", "aiobotocore", "botocore", "av", "ffmpeg", "imageio_ffmpeg", "ah_ray")
LEAN = (
    "torch", "triton", "transformers", "tokenizers", "safetensors", "accelerate", "peft", "numpy",
    "pydantic", "psutil", "pyarrow", "typer", "rich", "jinja2", "pyyaml", "regex", "fsspec",
)  # fmt: skip
PROGRAM = """
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
for name in sys.argv[1].split(","):
    found = find_spec(name)
    assert (name == "ah_ray") == (found is not None), name
sys.path[:0] = [str(Path(sys.argv[2]) / "benchmarks"), str(Path(sys.argv[2]) / "tests")]
import torch
torch.set_num_threads(1)
from drawn_clips import draw_clip
from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile
scorer = OmniScorer.load(
    find_checkpoint("tiny"), profile=load_profile("tiny"), arithmetic=Arithmetic.FLOAT32,
    device="cpu",
)
for name in ("gpu", "scorer", "train"):
    import_module(name)
print(*sys.version_info[:2], scorer.score([draw_clip(0)])[0].p_ah)
"""

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def linked(tmp_path_factory) -> Path:
    """The Python of a new environment with the lean packages of this one."""
    return make_environment(tmp_path_factory.mktemp("lean") / "env", None, closure(LEAN))


def run_lean(python: Path) -> tuple[str, float]:
    """Return the version of a Python and the P(A/H) that it computes for one clip."""
    command = [str(python), "-P", "-c", PROGRAM, ",".join(ABSENT), str(ROOT)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=280, cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": os.environ.get("HOME", "/")},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    major, minor, p_ah = ran.stdout.split()
    return f"{major}.{minor}", float(p_ah)


@pytest.fixture(scope="module")
def expected() -> float:
    scorer = OmniScorer.load(
        find_checkpoint("tiny"), profile=load_profile("tiny"), arithmetic=Arithmetic.FLOAT32,
        device="cpu",
    )  # fmt: skip
    p_ah = scorer.score([draw_clip(0)])[0].p_ah
    assert p_ah is not None
    return p_ah


def test_packages_of_a_gpu_machine_are_enough(linked, expected):
    version, found = run_lean(linked)
    assert version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.heavy
@pytest.mark.skipif(not INSTALLED.exists(), reason="install it: bash .ci/servers lean (some GB)")
def test_another_python_gives_the_same(expected):
    version, found = run_lean(INSTALLED)
    assert version != "3.11" and found == pytest.approx(expected, abs=1e-6)
