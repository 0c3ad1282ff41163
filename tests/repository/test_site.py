"""The site of docs/: every link leads somewhere on it, and MkDocs refuses what does not."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from documents import ROOT, tracked_files

_SPEC = importlib.util.spec_from_file_location("pages", ROOT / "docs/site/repository_pages.py")
pages = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(pages)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("README.md", "index.md"),
        ("docs/scoring.md", "scoring.md"),
        ("docs/report.png", "report.png"),
        ("SECURITY.md", "repository/SECURITY.md"),
        ("ah_ray/records.py", "repository/ah_ray/records.py.md"),
        (".github/workflows/long.yml", "repository/github/workflows/long.yml.md"),
    ],
)
def test_every_file_has_a_place(path, place):
    assert pages.place_of(path) == place


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        ("docs/a.md", "[b](b.md#c)", "[b](b.md#c)"),
        ("docs/a.md", "[b](../ah_ray/records.py)", "[b](repository/ah_ray/records.py.md)"),
        ("README.md", "![b](docs/report.png) [c](#d)", "![b](report.png) [c](#d)"),
        ("benchmarks/README.md", "[b](../docs/numbers.md)", "[b](../../numbers.md)"),
        ("docs/a.md", "[b](https://x.org/y)", "[b](https://x.org/y)"),
        ("docs/a.md", "```\n[b](../c.py)\n```\n", "```\n[b](../c.py)\n```\n"),
    ],
)
def test_links_lead_to_the_same_file_on_the_site(path, text, shown):
    assert pages.as_on_site(path, text) == shown


def test_every_page_has_a_place_in_the_menu():
    menu = re.findall(r"^ +- (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    docs = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert set(menu) == docs | {"index.md", "map.md"} and len(menu) == len(set(menu))


def test_the_map_has_a_sentence_for_every_module():
    lines = pages.map_of_code().splitlines()
    shown = [line.split("`")[1] for line in lines if line.startswith("- `")]
    assert not [line for line in lines if line.endswith("`: ")]
    modules = [Path(name) for name in tracked_files() if name.startswith("ah_ray/")]
    expected = [path.name for path in modules if path.suffix == ".py"]
    assert sorted(shown) == sorted(name for name in expected if name != "__init__.py")


@pytest.fixture
def copy(tmp_path) -> Path:
    """What the site is made of."""
    for name in tracked_files():
        if not name.startswith(("light/", "tests/media/", "tests/goldens/")):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    program = ROOT / ".servers" / "venv-docs" / "bin" / "mkdocs"
    if not program.exists():
        pytest.skip("MkDocs is not installed: run `bash .ci/site`")
    return subprocess.run(
        [program, "build", "--strict"], cwd=folder, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.servers
def test_a_dead_link_a_wrong_anchor_and_an_orphan_end_the_build(copy):
    page = copy / "docs" / "reading.md"
    page.write_text(page.read_text() + "\n[a](nowhere.md) [b](scoring.md#nothing)\n")
    (copy / "docs" / "orphan.md").write_text("# Nobody links here\n")
    done = build(copy)
    assert done.returncode == 1
    for fault in ("nowhere.md", "#nothing", "orphan.md"):
        assert fault in done.stderr, done.stderr
