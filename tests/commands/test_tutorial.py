"""docs/tutorial.md: its commands, one after another, in an empty folder."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ah_ray import read_verdicts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    for line in block.splitlines()
    if language == "bash" and line.startswith("ah-ray ")
]
SHEET = Path("review", "sheet-AB.csv")


def answer(folder: Path) -> None:
    """Fill in the sheet as the page describes it: the model is wrong about one video."""
    answers = {
        row["video_id"]: row
        for row in read_verdicts(str(folder / "ah_ray_demo/scores")).to_pylist()
    }
    with (folder / "review" / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        verdict = answers[row["video_id"]]
        row["answer"] = "Yes" if "broken upload" in verdict["uri"] else verdict["answer"]
        row["reviewer"] = "AB"
    with (folder / SHEET).open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, rows[0])
        sheet.writeheader()
        sheet.writerows(rows)


def test_its_pictures_are_there():
    pictures = re.findall(r"!\[[^]]+\]\(([\w-]+\.png)\)", PAGE)
    assert len(pictures) == 3
    assert all((ROOT / "docs" / picture).stat().st_size > 10_000 for picture in pictures)


@pytest.mark.heavy
def test_its_commands_lead_from_an_empty_folder_to_a_reviewed_report(tmp_path):
    program = tmp_path / "bin" / "ah-ray"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ah_ray "$@"\n')
    program.chmod(0o755)
    variables = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    folder, printed = tmp_path / "empty", ""
    folder.mkdir()
    for command in COMMANDS:
        if str(SHEET) in command:
            answer(folder)
        done = subprocess.run(
            command, shell=True, cwd=folder, env=variables,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
        printed += done.stdout + done.stderr
    assert len(COMMANDS) == 7
    found = {line.strip() for line in printed.splitlines()}
    other_each_time = ("…", "Cohort ", "Draw ", "labels of draw ")  # dates, and the draw's name
    for line in (
        line.strip() for language, block in BLOCKS if not language for line in block.splitlines()
    ):
        assert line in found or line.startswith(other_each_time), line
