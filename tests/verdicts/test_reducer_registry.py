"""A reducer is one entry in the registry: help, messages, docs and figures follow from it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.report.wording import describe_clip_scores, describe_reduction
from ah_ray.verdicts.one_model import answer_clip, reduce_scores
from ah_ray.verdicts.reducers import REDUCERS, Reducer, list_reducers, parse_reducer
from ah_ray.verdicts.reduction import Reduction, Scaling
from ah_ray.verdicts.verdict import clip_threshold, with_verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture
def median(monkeypatch):
    reducer = Reducer(
        name="median",
        reduce=lambda p, _: statistics.median(p),
        summary="the median of the clip scores",
        words="the median of its clips",
    )
    monkeypatch.setitem(REDUCERS, "median", reducer)
    return reducer


def test_a_registered_reducer_forms_verdicts(median):
    clips = [
        {"start_s": 0.0, "end_s": 5.0, "p_ah": p} for p in (0.1, 0.6, 0.7)
    ]  # fmt: skip
    row = with_verdict({"clips": clips}, Reduction(reducer="median"))
    assert (row["p_ah"], row["answer"], row["reducer"]) == (0.6, "Yes", "median")
    assert [clip["answer"] for clip in row["clips"]] == ["No", "Yes", "Yes"]


def test_a_registered_reducer_is_in_help_messages_and_report(median):
    assert "median" in list_reducers()
    with pytest.raises(ConfigError, match="median"):
        parse_reducer("unknown")
    assert describe_reduction(Reduction(reducer="median")) == "the median of its clips"


def test_a_registered_reducer_may_fix_the_threshold_of_its_clips(monkeypatch):
    counting = Reducer(
        name="many",
        reduce=lambda p, _: sum(x >= 0.25 for x in p) / len(p),
        summary="the share of clips from 0.25 on",
        words="the share of its clips from 0.25 on",
        clip_threshold=0.25,
    )
    monkeypatch.setitem(REDUCERS, "many", counting)
    reduction = Reduction(reducer="many", threshold=0.9, scaling=Scaling(slope=2.0))
    assert [answer_clip(p, reduction) for p in (0.25, 0.24)] == ["Yes", "No"]
    assert clip_threshold(reduction) == 0.25
    assert "before calibration" in describe_clip_scores(reduction)


def test_a_registered_reducer_may_take_a_number(monkeypatch):
    def lowest(k: int) -> Reducer:
        return Reducer(
            name=f"low{k}",
            reduce=lambda p, _: sum(sorted(p)[:k]) / len(p[:k]),
            summary=f"the mean of the {k} lowest clip scores",
            words=f"the mean of its {k} lowest clips",
            with_number=lowest,
        )

    monkeypatch.setitem(REDUCERS, "low2", lowest(2))
    assert reduce_scores([0.1, 0.5, 0.9], [5.0] * 3, Reduction(reducer="low1"))[0] == 0.1
    assert "low2 (or another number)" in list_reducers()


@pytest.mark.parametrize("name", REDUCERS)
def test_each_entry_is_named_for_its_key_and_described(name):
    reducer = REDUCERS[name]
    assert reducer.name == name == parse_reducer(name).name
    assert reducer.summary and reducer.words
    assert reducer([0.25], [5.0]) in (0.25, 0.0)  # `share` counts


def test_the_table_in_the_docs_is_the_registry():
    lines = (ROOT / "docs" / "scoring.md").read_text().splitlines()
    start = lines.index("| `--reducer` | a video's p_ah |") + 2
    rows = lines[start : lines.index("", start)]
    assert rows == [f"| `{each.name}` | {each.summary} |" for each in REDUCERS.values()]


@pytest.mark.parametrize("job", ["score", "reduce"])
def test_the_help_of_jobs_lists_the_registry(job):
    command = [sys.executable, str(ROOT / "jobs" / f"{job}.py"), "--help"]
    environment = os.environ | {"COLUMNS": "400"}
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert list_reducers() in text.stdout
