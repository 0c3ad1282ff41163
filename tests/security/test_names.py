"""Names chosen to be obeyed: by a terminal, by markup, by who reads a log by its lines."""

from __future__ import annotations

import io

import pytest
from outputs import run_score
from rich.console import Console

import ah_ray
from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.pipeline.run import run
from ah_ray.profile import load_profile

HOSTILE = {
    "\x1b]0;owned\x07\x1b[2J.mp4": "\\x1b]0;owned\\x07\\x1b[2J.mp4",
    "[link=http:evil][bold red]answer[∕].mp4": "[link=http:evil][bold red]answer[∕].mp4",
    "<script>alert(1)<∕script>.mp4": "<script>alert(1)<∕script>.mp4",
    "done\n0 failed.mp4": "done\\n0 failed.mp4",
    "\u202e4pm.live.mp4": "\\u202e4pm.live.mp4",
}
"""Names, and how they are shown."""


def terminal() -> Console:
    return Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)


@pytest.fixture
def manifest(tmp_path):
    """Names videos that are not there, so no Ray is needed to find them missing."""

    def write(*names: str) -> str:
        quoted = [f'"{name}"' for name in names]
        (tmp_path / "cohort.csv").write_text("\n".join(["uri", *quoted]), encoding="utf-8")
        return str(tmp_path / "cohort.csv")

    return write


def settings(videos, out):
    return {"videos": str(videos), "out": str(out), "model": "tiny", "max_failed": 1.0}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_shows_names_and_obeys_none(manifest, tmp_path, name):
    console = terminal()
    run(score_settings(**settings(manifest(name), tmp_path / "out")), console)
    lines = console.file.getvalue().splitlines()
    assert all(line.isprintable() for line in lines)
    (line,) = [line for line in lines if line.startswith(f"       {HOSTILE[name]}: ")]
    assert line.endswith(f"/{HOSTILE[name]}: No such file or directory")


def test_a_row_keeps_the_name_and_its_error_is_one_plain_line(manifest, tmp_path):
    given = settings(manifest(*HOSTILE), tmp_path / "out")
    run(score_settings(**given), Console(quiet=True))
    rows = ah_ray.read_verdicts(str(tmp_path / "out")).to_pylist()
    assert {row["uri"] for row in rows} == {f"{tmp_path}/{name}" for name in HOSTILE}
    assert all(row["error_kind"] == "missing" and row["error"].isprintable() for row in rows)


def test_endings_of_what_is_no_video_are_shown_too(tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    for name in ("a.mp4", 'b."quoted"\n', "c.\x1b[2J", "d.<b>", "e.txt"):
        (folder / name).touch()
    console = terminal()
    run(score_settings(**settings(folder, tmp_path / "out"), plan=True), console)
    shown = console.file.getvalue()
    assert all(line.isprintable() for line in shown.splitlines())
    assert "Not videos  3 (other endings), 1 .txt" in shown


def test_an_error_of_the_command_line_is_one_line_that_a_terminal_does_not_obey(tmp_path):
    ended = run_score("--videos", "x\x1b[2J\ny", "--out", tmp_path, "--model", "tiny")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.isprintable() and "x\\x1b[2J" in line


def test_a_profile_is_not_called_like_a_command_to_the_terminal(tmp_path):
    path = tmp_path / "mine.yaml"
    text = 'name: "a\\e[2Jb"\nuser: <video> <audio>\nmin_pixels: 4096\nmax_pixels: 4096\n'
    path.write_text(text + "second_per_grid: 2.0\n")
    with pytest.raises(ConfigError, match="characters that cannot be shown"):
        load_profile(str(path))
