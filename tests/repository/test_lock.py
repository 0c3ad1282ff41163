"""requirements.lock: the tested set with hashes, for a plain installation on any machine."""

from __future__ import annotations

import re
import tomllib

from documents import ROOT
from environments import closure, normalized
from packaging.requirements import Requirement

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ELSEWHERE = {"colorama", "httpx2-jsfetch", "tzdata"}  # needed by other systems than Linux
OF_CUDA = re.compile(r"nvidia-|cuda-|triton$")
"""Torch's CUDA build pins these itself, so constraints.txt does not."""


def pins(text: str) -> dict[str, str]:
    """Return the version of each package that the lines of a file pin, by its name."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {normalized(name): version for name, version in found}


def entries() -> dict[str, list[str]]:
    """Return the hashes of each package of the lock."""
    parts = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)
    return {next(iter(pins(part))): re.findall(r"sha256:(\w+)", part) for part in parts if part}


def test_versions_are_those_of_the_constraints():
    tested = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    locked = pins(LOCK)
    assert {name: tested.get(name, version) for name, version in locked.items()} == locked
    unknown = {name for name in locked.keys() - tested.keys() if not OF_CUDA.match(name)}
    assert unknown <= ELSEWHERE, "pin these in constraints.txt, then run .ci/lock"


def test_all_that_an_installation_brings_is_locked():
    declared = {normalized(Requirement(line).name) for line in PROJECT["dependencies"]}
    missing = (declared | closure(PROJECT["dependencies"])) - pins(LOCK).keys()
    assert not missing, "run .ci/lock"


def test_every_entry_has_hashes_and_none_names_a_server():
    assert len(entries()) > 100
    assert all(hashes and set(map(len, hashes)) == {64} for hashes in entries().values())
    assert "://" not in LOCK and "index" not in LOCK
