"""`python jobs/report.py` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from in_process import run_here
from invented_rows import make_output

REPOSITORY = Path(__file__).parents[2]


run = partial(run_here, "report")


def test_a_page_is_made_and_said(tmp_path):
    make_output(str(tmp_path / "scores"), {"a": [0.9, 0.2], "b": [0.1]})
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    page = tmp_path / "page.html"
    done = run(tmp_path / "scores", "--to", page, "--title", "Pilot", "--id-key", tmp_path / "key")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{page}: 2 videos, ")
    assert "<h1>Pilot</h1>" in page.read_text()


def test_videos_without_a_picture_are_reported_and_nothing_else_in_a_pipe(tmp_path):
    make_output(str(tmp_path / "scores"), {name: [0.9] for name in "abcd"})
    done = run(tmp_path / "scores", "--with-frames")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith(f"{tmp_path}/scores/report.html: 4 videos")
    assert said[2] == "4 scored videos have no picture:"
    assert [line.split(":")[0] for line in said[3:]] == ["  a", "  b", "  c", "  and 1 more"]
    assert said[3].endswith("no longer where it was scored") and done.stderr == ""


def test_no_output_is_one_line_and_exit_2(tmp_path):
    done = run(tmp_path / "nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_mistake_is_one_line_that_names_its_flag(tmp_path):
    make_output(str(tmp_path / "scores"), {"a": [0.9, 0.2]})
    for wrong in (("--to", tmp_path), ("--title", ""), ("--split", "val"), ("--labels", "")):
        done = run(tmp_path / "scores", *wrong)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"error: {wrong[0]}") and done.stderr.count("\n") == 1


def test_it_starts_without_ray_and_torch():
    """A page is made in seconds, on any laptop."""
    code = "import sys, ah_ray.study.report.view; print({'ray', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "set()", done.stderr
