"""Environments with chosen packages, without a network: links to those of these tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement


def normalized(name: str) -> str:
    """Return the name of a distribution as registries write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of all distributions that these requirements bring, as installed here."""
    found: set[str] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = normalized(requirement.name)
        known = {name, *(f"{name}[{one}]" for one in requirement.extras)} <= found
        if known:
            continue
        found |= {name, *(f"{name}[{one}]" for one in requirement.extras)}
        needs = [Requirement(line) for line in metadata.requires(name) or ()]
        waiting += [(need, one) for need in needs for one in ("", *requirement.extras)]
    return {name for name in found if "[" not in name}


def build_wheel(source: Path, folder: Path) -> Path:
    """Build a wheel of a copy of a project, with the setuptools of these tests; return its path."""
    build = f"import setuptools.build_meta as b; print(b.build_wheel({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=source, check=True, capture_output=True, text=True
    )
    return folder / done.stdout.split()[-1]


def make_environment(place: Path, wheel: Path | None, distributions: Iterable[str]) -> Path:
    """Make an environment that has a wheel and these distributions of ours; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    ours = Path(sysconfig.get_path("purelib"))
    for name in distributions:
        tops = {file.parts[0] for file in metadata.files(name) or ()}
        for top in tops - {"..", "__pycache__"}:
            if not (packages / top).exists() and (ours / top).exists():
                (packages / top).symlink_to(ours / top)
    if wheel is not None:
        ZipFile(wheel).extractall(packages)
    return place / "bin" / "python"


def bare(**variables: str) -> dict[str, str]:
    """Return the environment variables of this process without its paths to modules."""
    return {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"} | variables
