"""Figures of selected videos: weighted where they were drawn, marked where they were not."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_review import write_rows
from invented_rows import make_output
from rich.console import Console

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.run import run_evaluation
from ah_ray.study.evaluation.settings import evaluate_settings
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.study.review.candidates import draw_moments
from ah_ray.study.review.draw import Strata, Unit
from ah_ray.study.review.draw_record import record_draw
from ah_ray.study.review.moments import Surest, surest_moments
from ah_ray.study.review.reviewed import take_back
from ah_ray.study.review.settings import answer_settings
from ah_ray.study.review.sheet import row_of

N_YES, N_NO = 100, 300


def is_ah(video_id: str) -> bool:
    """80 of the 100 Yes are A/H, and so are 60 of the 300 No: accuracy .8, recall 80/140."""
    n = int(video_id[1:])
    return n < 80 or n >= N_YES + 240


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("scores"))
    make_output(
        folder,
        {
            f"v{n:03}": [0.6 + 0.39 * (N_YES - n) / N_YES if n < N_YES else 0.4 - n / 2000, 0.1]
            for n in range(N_YES + N_NO)
        },
    )
    return folder


@pytest.fixture(scope="module")
def perfect(tmp_path_factory) -> str:
    """Another output of the same videos, without a mistake."""
    folder = str(tmp_path_factory.mktemp("perfect"))
    names = [f"v{n:03}" for n in range(N_YES + N_NO)]
    make_output(folder, {name: [0.7 if is_ah(name) else 0.2] for name in names})
    return folder


def labels_of(out: str, rows: list[dict[str, str]], folder: Path) -> str:
    for row in rows:
        row |= {"answer": "Yes" if is_ah(row["video_id"]) else "No", "reviewer": "AB"}
    sheet = write_rows(folder / "sheet.csv", rows)
    settings = answer_settings(out=out, answers=[str(sheet)], labels_out=str(folder / "labels"))
    return take_back(settings).out


def draw_labels(out: str, folder: Path, n: int = 120) -> str:
    how = {"unit": Unit.VIDEO, "strata": Strata.VERDICT, "seed": 5}
    _, marks = record_draw(out, draw_moments(out, n=n, **how), **how)
    rows = [row_of(moment, "clip", selection=mark, show_score=False) for moment, mark in marks]
    return labels_of(out, rows, folder)


def surest(out: str, folder: Path) -> str:
    """The surest moments, answered perfectly: with split `test` for all of them."""
    moments = [m for kind in (Surest.YES, Surest.NO) for m in surest_moments(out, surest=kind)]
    rows = [row_of(moment, "clip", show_score=False) for moment in moments]
    return labels_of(out, rows, folder)


def run(out: str, labels: str, to: Path, **settings: object) -> tuple[str, dict]:
    console = Console(file=io.StringIO(), width=200)
    run_evaluation(evaluate_settings(outs=[out], labels=labels, to=str(to), **settings), console)
    return console.file.getvalue(), json.loads((to / "metrics.json").read_text())


def test_a_draw_tells_how_good_the_verdicts_of_the_cohort_are(out, tmp_path):
    said, metrics = run(out, draw_labels(out, tmp_path), tmp_path / "to")
    scored = metrics["outputs"][0]["scored"]
    for name, true in (("accuracy", 0.8), ("precision_ah", 0.8), ("recall_ah", 80 / 140)):
        assert scored[name]["low"] < true < scored[name]["high"], name
        assert abs(scored[name]["value"] - true) < 0.1
    assert scored["n_videos"] == 120
    selection = metrics["labels"]["selection"]
    assert (selection["kind"], selection["n_cohort"]) == ("drawn", 400)
    assert "Verdicts as they stand (of the cohort, from a draw)" in said
    assert "Reducers" not in said and "Thresholds" not in said and "Calibration of" not in said
    table = pq.read_table(tmp_path / "to" / "metrics.parquet")
    assert set(table["selection"].to_pylist()) == {"drawn"}


def test_what_a_draw_does_not_support_is_named_or_refused(out, perfect, tmp_path):
    labels = draw_labels(out, tmp_path)
    found = evaluate([out, perfect], labels)
    assert found.comparisons == ()
    (note,) = [note for note in found.outputs[0].notes if "no weighted figures" in note]
    assert "comparisons of outputs" in note and "groups" in note
    with pytest.raises(ConfigError, match="--group-by question: these videos were drawn"):
        evaluate([out], labels, group_by=("question",))
    plan = tmp_path / "plan.yaml"
    plan.write_text("split: test\nmeasures: [accuracy]\ngroups: [gender]\n")
    with pytest.raises(ConfigError, match="--plan asks for groups by gender: these videos were"):
        run(out, labels, tmp_path / "to", plan=str(plan))


def test_a_comparison_on_moments_is_marked(out, perfect, tmp_path):
    labels = surest(out, tmp_path)
    console, to = Console(file=io.StringIO(), width=300), str(tmp_path / "to")
    settings = evaluate_settings(outs=[out, perfect], labels=labels, to=to, split="all")
    (comparison,) = run_evaluation(settings, console).comparisons
    assert comparison.accuracy.value is not None and comparison.accuracy.low is None
    assert "of both (of selected moments):" in " ".join(console.file.getvalue().split())


def test_a_cohort_that_was_drawn_whole_has_its_own_figures(out, tmp_path):
    _, metrics = run(out, draw_labels(out, tmp_path, n=400), tmp_path / "to")
    scored = metrics["outputs"][0]["scored"]
    assert scored["accuracy"]["value"] == pytest.approx(0.8)
    assert scored["recall_ah"]["value"] == pytest.approx(80 / 140)
    assert scored["recall_ah"]["low"] == scored["recall_ah"]["high"]


def test_the_surest_moments_have_no_unmarked_figure(out, tmp_path):
    labels = surest(out, tmp_path)
    said, metrics = run(out, labels, tmp_path / "to", split="all")
    assert metrics["outputs"][0]["scored"]["accuracy"]["value"] == 1, "as the issue describes"
    assert metrics["labels"]["selection"]["kind"] == "moments"
    assert "Note: OF SELECTED MOMENTS: " in said
    titles = [line for line in said.splitlines() if "as they stand" in line or "Groups" in line]
    assert titles and all("(of selected moments)" in line for line in titles)
    assert "1.000 [" not in said, "an interval would claim to know something"
    text = json.dumps(metrics)
    assert text.count('"low": null') >= 10
    table = pq.read_table(tmp_path / "to" / "metrics.parquet")
    assert set(table["selection"].to_pylist()) == {"moments"}
    assert table["low"].null_count == len(table)


def test_unknown_participants_are_reported(out, tmp_path):
    said, metrics = run(out, draw_labels(out, tmp_path), tmp_path / "to")
    assert not metrics["labels"]["participants_known"]
    assert "Their participants are unknown, so each video counts as a person." in said


@pytest.mark.parametrize("make", [draw_labels, surest])
def test_nothing_is_fitted_to_selected_videos(out, tmp_path, make):
    from ah_ray.study.labelled_manifest import read_about, read_labelled_videos

    labels = make(out, tmp_path)
    table = read_labelled_videos(labels)
    rows = [row | {"split": "val"} for row in table.to_pylist()]
    videos = pa.Table.from_pylist(rows, schema=LABELLED_VIDEOS)
    write_labels(labels, WINDOWS.empty_table(), videos, read_about(labels))
    with pytest.raises(ConfigError, match="nothing is fitted to selected videos"):
        fit_calibration(out, labels)


def test_selected_moments_are_left_out_where_there_are_others(out, tmp_path):
    """Labels of a draw, and of moments besides: the figures are of the draw."""
    from ah_ray.study.labelled_manifest import read_about, read_labelled_videos

    labels = draw_labels(out, tmp_path)
    rows = read_labelled_videos(labels).to_pylist()
    before = evaluate([out], labels).outputs[0].scored
    there = {row["video_id"] for row in rows}
    more = [
        rows[0] | {"video_id": f"v{n:03}", "selection": "moments", "weight": None,
                   "participant_id": f"v{n:03}", "label": 1}
        for n in range(100) if f"v{n:03}" not in there
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows + more, schema=LABELLED_VIDEOS)
    write_labels(labels, WINDOWS.empty_table(), table, read_about(labels))
    found = evaluate([out], labels)
    assert found.outputs[0].scored == before
    assert found.labels.selection.n_left_out == len(more)


def test_labels_of_an_earlier_version_that_reviewers_gave_are_selected(out, tmp_path):
    from ah_ray.study.labelled_manifest import (
        read_about,
        read_labelled_videos,
    )

    labels = surest(out, tmp_path)
    table = pq.read_table(tmp_path / "labels" / "videos.parquet")
    old = table.select(table.column_names[: table.column_names.index("content")])
    pq.write_table(old, tmp_path / "labels" / "videos.parquet")
    assert "agreement" in read_about(labels)
    assert set(read_labelled_videos(labels)["selection"].to_pylist()) == {"moments"}
    about = {name: value for name, value in read_about(labels).items() if name != "agreement"}
    (tmp_path / "labels" / "prepared.json").write_text(json.dumps(about))
    assert set(read_labelled_videos(labels)["selection"].to_pylist()) == {None}
