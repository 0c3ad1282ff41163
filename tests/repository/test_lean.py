"""The scorer and what measures it are light enough to carry to a machine that has a GPU.

Such a machine has torch and its usual company, and neither Ray, nor the clients of object stores,
nor ffmpeg. Nothing is installed there: the folder is on the path, and there are no metadata.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ABSENT = (
    "ray", "s3fs", "aiobotocore", "botocore", "boto3", "aiohttp", "yarl", "grpc", "tensorboardX",
    "av", "ffmpeg", "imageio_ffmpeg", "torchvision", "torchaudio",
)  # fmt: skip
MOST_BYTES = 45 * 1024**2 - 13_300_000 - 2_800_000
"""What the source may take beside the wheels of transformers and pydantic."""

LEAN = f"""
import sys
from importlib import import_module, metadata
for name in {ABSENT}:
    sys.modules[name] = None
version = metadata.version
def find_version(name):
    if name == "ah_ray":
        raise metadata.PackageNotFoundError(name)
    return version(name)
metadata.version = find_version
"""


def run_lean(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process that finds the folder, and none of the absent packages."""
    command = [sys.executable, "-P", "-c", LEAN + program]
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=250, env=path, cwd="/")


@pytest.mark.slow
def test_scorer_and_benchmarks_need_none_of_them():
    ran = run_lean("""
from drawn_clips import draw_clip
from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile
scorer = OmniScorer.load(
    find_checkpoint("tiny"), profile=load_profile("tiny"), arithmetic=Arithmetic.FLOAT32,
    device="cpu",
)
print(scorer.score([draw_clip(0)])[0].p_ah)
for benchmark in ("scorer", "train", "gpu"):
    import_module(benchmark)
""")
    assert ran.returncode == 0, ran.stderr
    assert 0 < float(ran.stdout) < 1


def test_the_absent_packages_are_really_absent():
    ran = run_lean("import s3fs")
    assert "ModuleNotFoundError" in ran.stderr


def test_what_is_carried_is_small():
    files = subprocess.run(
        ["git", "ls-files", "ah_ray", "benchmarks", "tests/omni", "tests/goldens"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert sum((ROOT / name).stat().st_size for name in files) < MOST_BYTES
