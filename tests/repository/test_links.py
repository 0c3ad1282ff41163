"""Every link, path, test and function that a page names exists."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from documents import (
    ROOT,
    anchors,
    definitions,
    links,
    named_files,
    pages,
    read_page,
    tracked_files,
)

ROOMS = ("ah_ray", "jobs", "tests", "benchmarks", "docs", ".ci", ".github")
"""Folders of the repository: a path that begins with one of them is meant to exist."""
PACKAGE = ROOT / "ah_ray"
FOLDERS = {str(parent) for name in tracked_files() for parent in Path(name).parents}


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_to_a_file_and_a_heading(page):
    for link in links(read_page(page)):
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {link}, which does not exist"
        if anchor and target.suffix == ".md":
            headings = anchors(read_page(target.resolve().relative_to(ROOT).as_posix()))
            assert anchor in headings, f"{page} links to {link}, which has no such heading"


@pytest.mark.parametrize("page", pages())
def test_every_file_that_is_named_exists(page):
    tracked = set(tracked_files()) | FOLDERS
    for path, name in named_files(read_page(page)):
        first = path.split("/")[0]
        in_package = (PACKAGE / first).is_dir() and not (ROOT / first).is_dir()
        if path.endswith("/…") or not (first in ROOMS or (in_package and path.endswith(".py"))):
            continue
        whole = f"ah_ray/{path}" if in_package else path.rstrip("/")
        if "*" in whole:
            assert list(ROOT.glob(whole)), f"{page} names {path}, which matches nothing"
            continue
        assert whole in tracked, f"{page} names {path}, which does not exist"
        if name:
            defined = definitions(ROOT / whole)
            assert name in defined, f"{page} names {path}::{name}, which does not exist"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](b.md) ![c](d.png)", ["b.md", "d.png"]),
        ("[a](#here), [b](https://example.org/x), [c](mailto:a@b.c)", ["#here"]),
    ],
)
def test_links_of_this_repository_are_found(text, found):
    assert links(text) == found


def test_anchors_are_those_of_github():
    text = "# How many decode cores one GPU needs?\n## `OUT` and *rows*\n## A/H\n## A/H\n"
    assert anchors(text) == {"how-many-decode-cores-one-gpu-needs", "out-and-rows", "ah", "ah-1"}


def test_named_files_are_found():
    text = "`jobs/score.py --demo`, `tests/a/test_b.py::test_c`, `python tests/x.py`, `clip/s`"
    assert named_files(text) == [
        ("jobs/score.py", ""),
        ("tests/a/test_b.py", "test_c"),
        ("tests/x.py", ""),
        ("clip/s", ""),
    ]
