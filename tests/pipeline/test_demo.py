"""What a newcomer sees first: `jobs/score.py --demo`."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest
from invented_rows import make_output, scoring
from outputs import ROOT, verdicts
from rich.console import Console

from ah_ray.output.config import require_config
from ah_ray.output.read import read_verdicts
from ah_ray.pipeline.demo import run_demo, verdict_table
from ah_ray.profile import load_profile


def demo_output(folder: Path, monkeypatch) -> str:
    monkeypatch.chdir(folder)
    console = Console(file=io.StringIO(), width=100)
    assert run_demo({}, console) == 0
    return console.file.getvalue()


def without_p(line: str) -> list[str]:
    return re.sub(r"0\.\d{3}", "", line).split()


def p_of(line: str) -> list[float]:
    return [float(p) for p in re.findall(r"0\.\d{3}", line)]


def test_the_table_names_what_the_profile_is_about(tmp_path):
    profile = load_profile("tiny").model_copy(update={"construct_name": "engagement"})
    make_output(str(tmp_path), {"a": [0.1]}, by=scoring(profile=profile))
    config = require_config(str(tmp_path))
    table = verdict_table(read_verdicts(str(tmp_path)), config.construct_name)
    assert table.columns[2].header == "engagement"
    assert config.describe() == "model model-a, profile tiny (engagement)"


def test_verdicts_a_timeline_and_failures(ray_session, whole_cohort, tmp_path, monkeypatch):
    shutil.copytree(whole_cohort, tmp_path / "ah_ray_demo" / "cohort")
    text = demo_output(tmp_path, monkeypatch)
    rows = verdicts(tmp_path / "ah_ray_demo" / "scores")
    assert len(rows) == 14
    for row in rows.values():
        name = "/".join(Path(row["uri"]).parts[-2:])
        (line,) = re.findall(rf"^{re.escape(name)} +(.*\S) *$", text, re.MULTILINE)
        assert line.startswith(row["status"])
        assert row["error_kind"] is None or line.endswith(row["error_kind"])
    assert "Timeline of visit-03/broken upload.mp4" in text
    assert "does the face begin to\nsmile, does the voice rise" in text
    clip = r"^ +\d+\.\d – +\d+\.\d s  .*(Yes|No)\n"
    lane = r" +face (\w+) \S+ · voice (\w+) \S+ · face-voice (\S+)$"
    lanes = re.findall(clip + lane, text, re.MULTILINE)
    assert len(lanes) == 6 and {answer for answer, *_ in lanes} == {"Yes", "No"}
    for answer, face, voice, contrast in lanes:  # what the demonstration shows
        assert (answer == "Yes") == (face != voice) == (float(contrast) > 0.5)
    assert "not scored: decode" in text
    assert "was taught on drawn faces" in text
    (right, of) = map(int, re.search(r"(\d+) of (\d+) clips of", text).groups())
    assert of == 14 and right >= 13
    assert "pd.read_parquet('ah_ray_demo/scores/verdicts.parquet')" in text

    head, _, _ = (ROOT / "README.md").read_text().partition("(From the demonstration")
    told = re.findall(r"^(visit-\S.*\.(?:mp4|webm)) +(.*\S)$", head, re.MULTILINE)
    assert len(told) >= 5, "the README's first lines are this very output"
    for name, line in told:
        (found,) = re.findall(rf"^{re.escape(name)} +(.*\S) *$", text, re.MULTILINE)
        assert without_p(found) == without_p(line)
        assert p_of(found) == pytest.approx(p_of(line), abs=0.02)  # encoders differ by machine

    again = demo_output(tmp_path, monkeypatch)
    assert "nothing was pending" in again


def test_a_submitted_job_keeps_it_where_ray_deletes_nothing(
    scored_without_model, whole_cohort, tmp_path, monkeypatch
):
    copy = tmp_path / "runtime_resources/working_dir_files/_ray_pkg_0123"
    copy.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shutil.copytree(whole_cohort, tmp_path / "ah_ray_demo" / "cohort")
    assert f"pd.read_parquet('{tmp_path}/ah_ray_demo/scores/" in demo_output(copy, monkeypatch)
    assert not list(copy.iterdir())
