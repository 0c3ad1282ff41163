"""Dependencies point one way, and each heavy library has one home (design: Layout)."""

import ast
from pathlib import Path

import pytest

import ah_ray

PACKAGE = Path(ah_ray.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
JOBS = sorted((PACKAGE.parent / "jobs").glob("*.py"))

BASE = {
    "errors", "profile", "reduction", "config", "records", "exit_status", "logs", "units",
    "clip_tables", "validation", "screen",
}  # fmt: skip
MAY_USE = {
    "errors": set(),
    "profile": {"errors"},
    "reduction": set(),
    "validation": {"errors"},
    "config": {"errors", "profile", "reduction", "validation"},
    "records": {"errors"},
    "exit_status": {"errors", "config"},
    "logs": {"errors"},
    "units": set(),
    "screen": {"errors"},
    "clip_tables": {"errors", "records"},
    "cluster": {"errors"},
    "storage": BASE,
    "cohort": BASE | {"storage"},
    "media": BASE | {"storage"},
    "omni": BASE | {"storage"},
    "results": BASE | {"storage", "cohort"},
    "pipeline": BASE | {"cluster", "storage", "cohort", "media", "omni", "results"},
    "study": BASE | {"storage", "cohort", "media", "omni", "results"},
    "training": BASE | {"cluster", "storage", "cohort", "media", "omni", "results", "study"},
    "__init__": None,
}
HOMES = {
    "ray": {"cluster", "pipeline", "training"},
    "torch": {"omni", "training"},
    "transformers": {"omni", "training"},
    "peft": {"omni", "training"},
    "ffmpeg": {"media"},
    "imageio_ffmpeg": {"media"},
    "fsspec": {"storage"},
    "s3fs": {"storage"},
    "boto3": set(),
    "torchvision": set(),
    "torchaudio": set(),
    "pickle": set(),
}


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    part = part_of(path)
    allowed = MAY_USE[part]
    if allowed is None:
        return
    for name in imports(path):
        if name == "ah_ray" or not name.startswith("ah_ray."):
            continue
        used = name.split(".")[1]
        if used.startswith("__"):
            continue
        assert used == part or used in allowed, f"{part} may not import {name}"


@pytest.mark.parametrize("path", [*FILES, *JOBS], ids=lambda path: path.name)
def test_each_library_has_one_home(path):
    part = part_of(path) if path in FILES else "jobs"
    for name in imports(path):
        home = HOMES.get(name.split(".")[0])
        assert home is None or part in home, f"{part} may not import {name}"


@pytest.mark.parametrize("path", [*FILES, *JOBS], ids=lambda path: path.name)
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 250


def test_the_tables_name_every_part():
    assert {part_of(path) for path in FILES} <= MAY_USE.keys()
