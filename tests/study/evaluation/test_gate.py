"""A new model takes the place of the one in use only if it is better for sure."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from in_process import run_here
from invented_rows import make_output
from study.invented_study import make_scores

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus
from ah_ray.provenance.learned_from import Use
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.settings import evaluate_settings
from ah_ray.study.evaluation.validity.gate import judge
from ah_ray.study.evaluation.validity.leaks import Leak
from ah_ray.study.evaluation.validity.view import gate_lines

HOW = Bootstrap(draws=100)


@pytest.fixture
def better(study, tmp_path) -> str:
    return make_scores(tmp_path / "better", study, knows=2.5, model="model-b", seed=1)


def compared(study, old: str, new: str):
    return evaluate([old, new], study.labels, split="val", bootstrap=HOW)


def test_a_better_model_passes_and_the_worse_one_does_not(study, scores, better):
    found = judge(compared(study, scores, better))
    assert found.is_better and not found.reasons
    assert found.difference.low > 0 and (found.old, found.new) == (scores, better)
    back = judge(compared(study, better, scores))
    assert not back.is_better
    assert back.difference.value == pytest.approx(-found.difference.value)
    assert back.reasons == ("the interval of the difference does not lie above 0",)


def test_an_equal_model_does_not_pass(study, scores, tmp_path):
    same = shutil.copytree(scores, tmp_path / "same")
    assert not judge(compared(study, scores, str(same))).is_better


def test_a_model_that_lost_videos_does_not_pass(study, scores, tmp_path):
    """However good it is on what it scored."""
    rows = {
        video["video_id"]: [float(video["label"])]
        for video in study.of("val")[3:]
    }  # fmt: skip
    make_output(str(tmp_path / "fewer"), rows)
    found = judge(compared(study, scores, str(tmp_path / "fewer")))
    assert found.difference.low > 0 and not found.is_better
    assert found.reasons == ("it has no verdict of 3 labelled videos that the model in use scored",)


def test_a_model_that_was_trained_on_these_people_does_not_pass(study, scores, better):
    found = compared(study, scores, better)
    old, new = found.outputs
    leak = {"by": "model b", "split": "train", "n_participants": 4, "n_videos": 9}
    for use, passes in ((Use.TRAINING, False), (Use.CALIBRATION, True), (Use.CHECKPOINT, True)):
        leaked = replace(new, leaks=(Leak(use=use.value, **leak),))
        gate = judge(replace(found, outputs=(old, leaked)))
        assert gate.is_better is passes
    assert "Why not: model b was trained on 4 participants" in "\n".join(
        gate_lines(judge(replace(found, outputs=(old, replace(
            new, leaks=(Leak(use=Use.TRAINING.value, **leak),)
        )))))
    )  # fmt: skip


def test_the_job_says_so_by_its_exit_status(study, scores, better, tmp_path):
    again = ("--labels", study.labels, "--draws", "100")
    done = run_here("evaluate", better, "--gate", scores, *again)
    assert done.returncode == ExitStatus.COMPLETE, done.stderr
    assert f"Gate: {better} is BETTER: it may take the place of {scores}." in done.stdout
    assert "val: " in done.stdout, "without --split"
    written = json.loads(storage.read_bytes(f"{better}/evaluation/metrics.json"))
    assert written["gate"]["is_better"] is True and written["labels"]["split"] == "val"

    kept = run_here("evaluate", scores, "--gate", better, *again, "--split", "test")
    assert kept.returncode == ExitStatus.NOT_BETTER == 6, kept.stderr
    assert f"Gate: {scores} is NOT BETTER: keep {better}." in kept.stdout
    assert "on test, paired over participants: -0." in kept.stdout
    assert not kept.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"outs": ("a", "b")}, "--gate decides about one new model"),
        ({"protocol": "bah"}, "--protocol is for an evaluation of its own"),
        ({"plan": "p.yaml"}, "--plan is for an evaluation of its own"),
        ({"write_calibration": "c.json"}, "--write-calibration is for an evaluation of its own"),
    ],
)
def test_what_does_not_go_with_it(more, words):
    with pytest.raises(ConfigError, match=words):
        evaluate_settings(**{"outs": ("a",), "labels": "l", "gate": "old", **more})
