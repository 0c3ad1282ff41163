"""An analysis that is locked before test is opened, and every look at test counted."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from invented_study import make_scores, make_study
from rich.console import Console

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.run import run_evaluation
from ah_ray.study.evaluation.settings import evaluate_settings
from ah_ray.study.evaluation.validity import locked_plan
from ah_ray.study.evaluation.validity.locked_plan import read_plan

PLAN = """
split: test
reducer: mean
threshold: macro-f1
measures: [macro_f1, recall_ah]
groups: [gender]
hypotheses:
  - text: the model is better than chance
    measure: auroc
    above: 0.5
  - text: it finds everybody
    measure: recall_ah
    above: 0.999
"""
PARTICIPANTS = {"train": 6, "val": 12, "test": 15}


@pytest.fixture(scope="module")
def study_and_scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    study = make_study(folder / "labels", PARTICIPANTS)
    return study, make_scores(folder / "scores", study)


@pytest.fixture
def look(study_and_scores, tmp_path):
    """Evaluates a copy of the scores; gives what the terminal shows, and the analysis."""
    study, scores = study_and_scores
    out = str(shutil.copytree(scores, tmp_path / "scores"))

    def run(plan: str | None = None, **settings: object) -> tuple[str, dict]:
        if plan is not None:
            (tmp_path / "plan.yaml").write_text(plan)
            settings["plan"] = str(tmp_path / "plan.yaml")
        console = Console(file=io.StringIO(), width=200)
        run_evaluation(evaluate_settings(outs=[out], labels=study.labels, **settings), console)
        to = Path(str(settings.get("to", f"{out}/evaluation")))
        metrics = json.loads((to / "metrics.json").read_text())
        return console.file.getvalue(), metrics["analysis"]

    return run


def test_a_plan_that_comes_first_is_locked(look):
    said, analysis = look(PLAN)
    assert (analysis["kind"], analysis["look"], analysis["looks_before_plan"]) == ("locked", 1, 0)
    assert f"Plan {analysis['plan_hash']}, locked on " in said
    assert "This is look 1 at test." in said
    said, analysis = look(PLAN)
    assert (analysis["kind"], analysis["look"]) == ("locked", 2), "the same plan again"


def test_what_was_planned_is_measured(look):
    said, analysis = look(PLAN)
    (planned,) = analysis["planned"]
    assert (planned["reducer"], planned["threshold_rule"]) == ("mean", "macro-f1")
    assert 0 < planned["threshold"] < 1 and planned["threshold"] != 0.5
    assert {group["by"] for group in planned["groups"]} == {"gender"}
    assert [one["is_supported"] for one in planned["hypotheses"]] == [True, False]
    assert "as planned: mean, threshold macro-f1" in said
    assert "Hypothesis: the model is better than chance (AUROC against 0.5: " in said
    assert "): not supported." in said


def test_a_changed_plan_is_exploratory(look):
    _, first = look(PLAN)
    said, analysis = look(PLAN.replace("mean", "topk3"))
    assert analysis["kind"] == "exploratory"
    assert analysis["reason"] == f"another plan ({first['plan_hash']}) was locked first"
    assert "EXPLORATORY: another plan (" in said and "This is look 2 at test." in said
    _, again = look(PLAN)
    assert again["kind"] == "locked", "the plan that was locked first is still it"


def test_a_plan_after_a_look_is_exploratory(look):
    said, analysis = look()
    assert (analysis["kind"], analysis["look"]) == ("unplanned", 1)
    assert "This is look 1 at test; no plan was locked (--plan)." in said
    _, analysis = look(PLAN)
    assert (analysis["kind"], analysis["looks_before_plan"]) == ("exploratory", 1)
    assert analysis["reason"] == "test had been looked at once before the plan was locked"


def test_a_look_at_val_is_none_at_test(look):
    _, analysis = look(split="val")
    assert analysis["look"] is None
    _, analysis = look(PLAN)
    assert (analysis["kind"], analysis["look"]) == ("locked", 1)
    _, analysis = look(split="all")
    assert analysis["look"] == 2, "all holds test"


def test_looks_count_however_the_figures_are_stored(look, tmp_path):
    look(to=str(tmp_path / "elsewhere"))
    _, analysis = look(PLAN)
    assert analysis["look"] == 2 and analysis["kind"] == "exploratory"


def test_the_plan_is_locked_before_any_label_of_test_is_read(look, tmp_path, monkeypatch):
    seen = []

    def reading(*arguments: object, **more: object):
        seen.extend(path.name for path in (tmp_path / "scores/analysis").iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr("ah_ray.study.evaluation.evaluate.read_labelled_videos", reading)
    with pytest.raises(KeyboardInterrupt):
        look(PLAN)
    assert sorted(name.partition("-")[0] for name in seen) == ["look", "plan"]
    monkeypatch.undo()
    _, analysis = look(PLAN)
    assert (analysis["kind"], analysis["look"]) == ("locked", 2), "a broken look is a look"


def test_how_a_plan_is_laid_out_does_not_matter(tmp_path):
    prints = set()
    for number, text in enumerate(
        (PLAN, PLAN.replace("[gender]", "\n  - gender"), "# note" + PLAN)
    ):
        (tmp_path / f"{number}.yaml").write_text(text)
        prints.add(read_plan(str(tmp_path / f"{number}.yaml")).fingerprint)
    assert len(prints) == 1
    (tmp_path / "other.yaml").write_text(PLAN.replace("0.5", "0.6"))
    assert read_plan(str(tmp_path / "other.yaml")).fingerprint not in prints


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "has no fields"),
        ("split: some", "split"),
        ("measures: [luck]", "'luck' is unknown; there are accuracy"),
        ("reducer: best", "reducer"),
        ("threshold: 2", "threshold"),
        ("hypotheses: [{text: x, measure: auroc}]", "give `above` or `below`, one of them"),
        ("colour: red", "colour"),
        ("a: [", "is not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "is not YAML"),
    ],
)
def test_a_wrong_plan_is_one_sentence_and_no_look(look, tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        look(text)
    assert "--plan " in str(caught.value) and message in str(caught.value)
    assert not (tmp_path / "scores/analysis").exists()


def test_the_split_is_that_of_the_plan(look):
    with pytest.raises(ConfigError, match=r"--split val is not the split of --plan \(test\)"):
        look(PLAN, split="val")


def test_an_output_that_cannot_be_written_to_locks_nothing(look, monkeypatch):
    from ah_ray.errors import StorageError

    def refuse(*arguments: object) -> None:
        raise StorageError("read only")

    monkeypatch.setattr(locked_plan, "_write", refuse)
    with pytest.raises(ConfigError, match="nothing can be locked"):
        look(PLAN)
    _, analysis = look()
    assert analysis["look"] is None, "a look that could not be counted is not the first"
