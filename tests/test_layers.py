"""Dependencies point one way, and each heavy library has one home (design: Layout)."""

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ah_ray

PACKAGE = Path(ah_ray.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_MODULES = 15
JOBS = sorted((PACKAGE.parent / "jobs").glob("*.py"))

BASE = {
    "errors", "escaping", "exit_status", "profile", "config", "records", "logs",
    "units", "clip_tables", "validation", "remarks", "ray_environment", "naming", "temporary",
    "file_lock", "installation", "cli", "flag", "verdicts", "interfaces", "provenance",
}  # fmt: skip
MAY_USE = {
    "errors": set(),
    "escaping": set(),
    "exit_status": set(),
    "flag": set(),
    "provenance": {"validation"},
    "remarks": set(),
    "units": set(),
    "temporary": set(),
    "file_lock": set(),
    "installation": {"errors"},
    "ray_environment": set(),
    "naming": {"errors", "escaping"},
    "logs": {"errors", "escaping", "naming"},
    "profile": {"errors", "validation"},
    "validation": {"errors"},
    "config": {"errors", "flag", "profile", "validation", "verdicts"},
    "records": {"errors", "remarks"},
    "clip_tables": {"errors", "records"},
    "interfaces": {"records"},
    "cli": {
        "errors",
        "escaping",
        "exit_status",
        "flag",
        "installation",
        "naming",
        "validation",
        "config",
    },
    "cluster": {"errors", "escaping", "ray_environment"},
    "storage": BASE,
    "cohort": BASE | {"storage"},
    "media": BASE | {"storage"},
    "omni": BASE | {"storage"},
    "verdicts": {"errors", "flag", "profile", "validation"},
    "output": BASE | {"storage", "cohort", "verdicts"},
    "results": BASE | {"storage", "cohort", "verdicts", "output"},
    "pipeline": BASE
    | {"cluster", "storage", "cohort", "media", "omni", "verdicts", "output", "results"},
    "nightly": BASE | {"storage", "output", "results", "pipeline"},
    "study": BASE | {"storage", "cohort", "media", "omni", "verdicts", "output", "results"},
    "training": BASE
    | {"cluster", "storage", "cohort", "media", "omni", "verdicts", "output", "results", "study"},
    "commands": None,
    "__init__": None,
    "__main__": {"commands"},
}
HOMES = {
    "ray": {"cluster", "nightly", "pipeline", "training"},
    "torch": {"omni", "training"},
    "transformers": {"omni", "training"},
    "peft": {"omni", "training"},
    "av": {"media"},
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
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=str)
def test_folders_stay_small(folder):
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES


def test_names_of_test_files_are_unique():
    """pytest imports them by their names, since tests are no packages."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py")]
    assert {name for name, n in Counter(names).items() if n > 1} <= {"conftest.py"}


def test_no_module_depends_on_itself():
    """Not even through others: modules can be read one after another, from the bottom."""
    modules = {
        ".".join(("ah_ray", *path.relative_to(PACKAGE).with_suffix("").parts)): path
        for path in FILES
    }
    uses = {
        name: {
            used
            for imported in imports(path)
            for used in (imported, imported.rpartition(".")[0])
            if used in modules and used != name
        }
        for name, path in modules.items()
    }
    TopologicalSorter(uses).prepare()  # raises CycleError, which names the modules


def test_the_tables_name_every_part():
    assert {part_of(path) for path in FILES} <= MAY_USE.keys()


def test_the_map_of_the_architecture_names_every_room():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms, way = set(), []
    for line in page.splitlines():
        if match := re.match(r"([│ ]*)[├└]── (\w+)/  ", line):
            depth = len(match[1]) // 4
            way = [*way[:depth], match[2]]
            rooms.add("/".join(way))
    folders = {
        path.parent.relative_to(PACKAGE).as_posix() for path in FILES if path.parent != PACKAGE
    }
    assert not folders - rooms, "docs/architecture.md: add these rooms to the tree"
    assert not rooms - folders, "docs/architecture.md: take these rooms out of the tree"
