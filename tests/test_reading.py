"""The lines that the documentation shows for reading an output, run on a real one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from invented_rows import EFFORT, why_profile
from rich.console import Console

import ah_ray
from ah_ray.config import score_settings
from ah_ray.pipeline.run import score
from ah_ray.profile import YES
from ah_ray.study.review.moments import surest_moments

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECORDINGS = (
    "visit-01/answer 1.mp4",
    "visit-02/answer 2 50%.mp4",
    "visit-02/browser.webm",
    "visit-03/broken upload.mp4",
    "visit-03/empty.mp4",
    "visit-03/playlist.mp4",
)


def blocks(text: str) -> list[str]:
    """Each block of Python."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def of_readme() -> list[str]:
    section = README.split("## Read the results")[1]
    return blocks(section.split("\n## ")[0])


@pytest.fixture(scope="module")
def real_output(ray_session, whole_cohort, tmp_path_factory) -> Path:
    """A folder with `scores`: some of the demonstration's recordings, scored by the tiny model.

    It was asked several questions, so that all columns are filled.
    """
    folder = tmp_path_factory.mktemp("read")
    for name in RECORDINGS:
        (folder / "cohort").mkdir(exist_ok=True)
        shutil.copy(whole_cohort / name, folder / "cohort")
    (folder / "why.yaml").write_text(why_profile({"effort": EFFORT}).model_dump_json(by_alias=True))
    settings = {"videos": str(folder / "cohort"), "out": str(folder / "scores"), "model": "tiny"}
    settings |= {"profile": str(folder / "why.yaml"), "keep_embeddings": True}
    score(score_settings(**settings, max_failed=1.0), Console(quiet=True))
    return folder


@pytest.fixture
def run(real_output, monkeypatch):
    """Runs a block where `scores` is; gives its variables."""
    monkeypatch.chdir(real_output)

    def run_block(block: str) -> dict[str, Any]:
        variables: dict[str, Any] = {}
        exec(compile(block, "docs", "exec"), variables)
        return variables

    return run_block


def rows_of(table: Any) -> list[dict[str, Any]]:
    """Of a table of pandas, DuckDB, polars or Arrow."""
    if hasattr(table, "to_dicts"):
        return table.to_dicts()
    if hasattr(table, "to_pylist"):
        return table.to_pylist()
    if hasattr(table, "df"):
        table = table.df()
    return table.astype(object).where(table.notna(), None).to_dict("records")


@pytest.mark.parametrize("library", ["pandas", "duckdb", "polars"])
def test_ten_surest_moments(run, real_output, library):
    found = [block for block in blocks(PAGE) if f"import {library}" in block and "surest" in block]
    assert len(found) == 1
    surest = [
        (row["video_id"], row["start_s"], row["end_s"], row["p_ah"], row["uri"])
        for row in rows_of(run(found[0])["surest"])
    ]
    ours = surest_moments(str(real_output / "scores"))
    assert ours and all(one.answer == YES for one in ours)
    assert surest == [
        (one.video.video_id, one.start_s, one.end_s, one.p_ah, one.video.uri) for one in ours
    ]


@pytest.mark.parametrize("library", ["duckdb", "polars"])
def test_timelines_of_single_videos(run, real_output, library):
    found = [block for block in blocks(PAGE) if f"import {library}" in block and "nested" in block]
    assert len(found) == 1
    key = ("video_id", "clip_index", "start_s", "answer")
    nested = {tuple(row[name] for name in key) for row in rows_of(run(found[0])["nested"])}
    flat = ah_ray.read_clips(str(real_output / "scores")).to_pylist()
    assert nested == {tuple(row[name] for name in key) for row in flat}


def test_failures_are_counted(run):
    failed = run(blocks(PAGE)[0])["failed"]
    assert failed.to_dict() == {"decode": 1, "refused": 1, "unreadable": 1}


def test_our_own_readers(run, real_output, capsys):
    *_, readers, answers, values, moments, embeddings = blocks(PAGE)
    found = run(readers)
    assert found["verdicts"].column_names == ["video_id", "p_ah", "answer"]
    assert len(found["verdicts"]) == len(RECORDINGS) and len(found["clips"]) == 12
    wide = run(answers)["wide"]
    assert wide.shape == (found["clips"].p_ah.notna().sum(), 13)
    efforts = run(values)["efforts"]
    assert list(efforts.columns) == ["video_id", "question", "value"]
    assert len(efforts) == found["verdicts"]["p_ah"].is_valid().to_pylist().count(True)
    assert efforts.value.between(1, 4).all()
    vectors = run(embeddings)["vectors"]
    assert len(vectors) == found["clips"].p_ah.notna().sum()
    run(moments)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(surest_moments(str(real_output / "scores")))
    assert all(re.fullmatch(r"[01]\.\d{3}  /.*  \d+ – \d+ s", line) for line in printed)


def test_the_readmes_lines(run):
    pandas, duckdb, polars = of_readme()
    found = run(pandas)
    assert len(found["verdicts"]) == len(RECORDINGS) and set(found["surest"].answer) == {"Yes"}
    by_status = {row["status"]: row["n"] for row in rows_of(run(duckdb)["by_status"])}
    assert by_status == {"ok": 3, "partial": 1, "failed": 2}
    yes = rows_of(run(polars)["yes"])
    assert len(yes) == (found["verdicts"].answer == "Yes").sum()


def test_every_block_is_run_or_marked():
    """Ten of Python here, and R's, which nobody runs, as the page says."""
    languages = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert languages.count("python") == 10 and set(languages) == {"python", "r"}
    r = PAGE.split("## R\n")[1].split("\n## ")[0]
    assert "not run by the tests" in r and "library(arrow)" in r
