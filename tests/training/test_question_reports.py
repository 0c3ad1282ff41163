"""What a training of several questions says of them: plan, journal, record and card."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labelled_clips import settings_of
from rich.console import Console

from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.omni.weights.training_record import choose_profile
from ah_ray.profile import load_profile
from ah_ray.study.labelled_manifest import ANSWERS, LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.training.data.assignment import Machines, make_assignment, select_windows
from ah_ray.training.data.named_labels import select_answers
from ah_ray.training.journal import METRICS, write_metrics
from ah_ray.training.model_card import format_model_card
from ah_ray.training.plan import Memory, Sizes
from ah_ray.training.progress import _format_evaluation, make_plan_table
from ah_ray.training.run import _describe_training
from ah_ray.training.steps.grpo import RewardMeasures
from ah_ray.training.steps.supervised import StepLoss
from ah_ray.training.validation import Measures, QuestionMeasures, compute_measures

MACHINES = Machines(workers=1, gpu=False, decoders=1, decoder_cpus=1.0)
FACE = QuestionMeasures(question="face", n_windows=3, loss=0.5, accuracy=0.75, macro_f1=0.6)


def assign(folder, *, named: bool, **settings):
    same = {"video_id": "v", "participant_id": "p", "split": "train", "weight": 1.0}
    windows = pa.Table.from_pylist(
        [
            {**same, "uri": "/v.mp4", "start_s": 5.0 * n, "end_s": 5.0 * n + 5, "label": label}
            for n, label in enumerate([1, 0, None, 0])
        ],
        WINDOWS,
    )
    faces = [
        {**same, "question": "face", "answer": answer, "start_s": 5.0 * n, "end_s": 5.0 * n + 5}
        for n, answer in enumerate(["positive", "negative", "negative"])
    ]
    answers = pa.Table.from_pylist(faces if named else [], ANSWERS)
    about = {"data_fingerprint": "f"}
    videos = pa.Table.from_pylist([], LABELLED_VIDEOS)
    write_labels(str(folder), windows, videos, about, answers=answers)
    chosen, profile = settings_of(labels=str(folder), **settings), load_profile("seed-why")
    rows = select_windows(
        windows, "train", chosen, select_answers(answers, profile, chosen), profile
    )
    base = find_checkpoint("tiny")
    return make_assignment(chosen, base, profile, windows, rows, (), MACHINES)


def test_the_plan_tells_how_many_windows_have_each_answer(tmp_path):
    sizes = Sizes(parameters=2, trained=1, largest_layer=1)
    memory = Memory(weights=1, gradients=1, moments=1, passes=1)

    def show(**values) -> str:
        console = Console(width=400, record=True, quiet=True)
        console.quiet = False
        with console.capture() as shown:
            found = assign(tmp_path, **values)
            console.print(make_plan_table(found, MACHINES, sizes, memory, None))
        return shown.get()

    told = show(named=True)
    assert "4 windows (1 Yes) of 1 participants" in told
    assert (
        "ah: 3 windows (1 Yes, 2 No); face: 3 windows (1 positive, 0 neutral, 2 negative)" in told
    )
    assert "Questions" not in show(named=False)


def test_the_record_names_the_questions_and_brings_the_profile_back(tmp_path):
    about = assign(tmp_path / "labels", named=True, modality_dropout=0.2, ask="face").about
    assert about["labels"]["questions"] == {"ah": 3, "face": 3}
    assert about["settings"]["modality_dropout"] == 0.2 and about["settings"]["ask"] == ["face"]
    trained = tmp_path / "model"
    trained.mkdir()
    (trained / "training.json").write_text(json.dumps(about))
    assert choose_profile(None, [("m", trained, [])]).profile == load_profile("seed-why")
    # The first question alone may be asked of it too.
    assert choose_profile("seed", [("m", trained, [])]).profile == load_profile("seed")


def test_a_training_of_one_question_is_described_as_before(tmp_path):
    described = _describe_training(assign(tmp_path, named=False))
    assert "questions" not in described["labels"]
    assert not {"ask", "modality_dropout"} & described["settings"].keys()


def test_evaluations_are_kept_and_shown(tmp_path):
    measures = asdict(compute_measures([], (FACE,)))
    row = {"step": 4, "epoch": 0, **{f"val_{name}": value for name, value in measures.items()}}
    assert _format_evaluation(row) == "step 4: face accuracy 0.750 macro-F1 0.600"
    write_metrics(str(tmp_path), [{"step": 1, "loss": 2.0}, row])
    step, evaluation = pq.read_table(tmp_path / "metrics.parquet").to_pylist()
    assert step["val_questions"] is None
    assert evaluation["val_questions"] == [asdict(FACE)]
    again = json.loads(json.dumps(row))  # as a checkpoint keeps it
    write_metrics(str(tmp_path), [again])
    assert pq.read_table(tmp_path / "metrics.parquet").to_pylist() == [evaluation]


def test_every_figure_of_a_step_has_a_column():
    for of_a_step in (StepLoss, RewardMeasures):
        assert {field.name for field in fields(of_a_step)} <= set(METRICS.names)
    assert {f"val_{field.name}" for field in fields(Measures)} <= set(METRICS.names)


@pytest.mark.parametrize("named", [True, False])
def test_the_card_names_what_was_learned(tmp_path, named):
    about = assign(tmp_path, named=named).about
    measures = asdict(compute_measures([], (FACE,) if named else ()))
    card = format_model_card(
        {**about, "purpose": "", "steps": 4, "best": {"step": 4, "measures": measures}}
    )
    told = (
        "- questions learned: ah (3 windows), face (3 windows); what else the profile asks was not"
    )
    assert (told in card) is named
    assert ("| face: macro_f1 | 0.6000 |" in card) is named
