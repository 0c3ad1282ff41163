"""Nothing fitted is called unfitted: known people are refused on test, and marked elsewhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_rows import make_output
from invented_study import make_scores, make_study
from rich.console import Console
from spellings import SAME

from ah_ray.cohort.participant_names import normal_form
from ah_ray.config import Reduction
from ah_ray.errors import ConfigError
from ah_ray.output.config import read_config, write_config
from ah_ray.provenance.learned_from import LearnedFrom, Use, learned_from
from ah_ray.results.calibration import read_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.run import run_evaluation
from ah_ray.study.evaluation.settings import evaluate_settings
from ah_ray.study.evaluation.validity.leaks import find_leaks, read_trained_on
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.study.leak_records import record_split, record_training

PARTICIPANTS = {"train": 6, "val": 12, "test": 12}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study") / "labels", PARTICIPANTS)


@pytest.fixture
def scores(study, tmp_path) -> str:
    return make_scores(tmp_path / "scores", study)


def run(out: str, labels: str, to: Path, **settings: object) -> tuple[str, dict]:
    """(what the terminal shows, metrics.json)."""
    console = Console(file=io.StringIO(), width=200)
    run_evaluation(evaluate_settings(outs=[out], labels=labels, to=str(to), **settings), console)
    return console.file.getvalue(), json.loads((to / "metrics.json").read_text())


def fitted(study, scores: str, tmp_path: Path) -> str:
    """An output whose threshold was fitted on val."""
    file = tmp_path / "calibration.json"
    run(scores, study.labels, tmp_path / "fit", write_calibration=str(file))
    out = str(tmp_path / "fitted")
    reduce_outputs([scores], out, reduction=Reduction(), calibrations=[str(file)])
    return out


def test_a_calibration_says_whose_videos_it_knows_and_names_nobody(study, scores, tmp_path):
    out = fitted(study, scores, tmp_path)
    found = read_calibration(str(tmp_path / "calibration.json")).learned_from
    people = {video["participant_id"] for video in study.of("val")}
    assert len(found.participants) == len(people) and found.use is Use.CALIBRATION
    assert all(found.has_participant(normal_form(name)) for name in people)
    for file in (tmp_path / "calibration.json", Path(out) / "config.json"):
        assert not any(name in file.read_text() for name in people)


def test_a_val_fitted_output_judged_on_val_is_marked(study, scores, tmp_path):
    out = fitted(study, scores, tmp_path)
    said, metrics = run(out, study.labels, tmp_path / "on-val", split="val")
    (leak,) = metrics["outputs"][0]["leaks"]
    n_people = len({video["participant_id"] for video in study.of("val")})
    assert (leak["use"], leak["split"], leak["n_participants"]) == ("calibration", "val", n_people)
    assert leak["n_videos"] == len(study.of("val"))
    assert "OF KNOWN PEOPLE: calibration " in said
    assert f"was fitted to {n_people} participants reported here" in said
    assert "Verdicts as they stand (of people that it knows)" in said
    assert any(note.startswith("OF KNOWN PEOPLE") for note in metrics["outputs"][0]["notes"])
    table = pq.read_table(tmp_path / "on-val" / "metrics.parquet")
    assert set(table["known_people"].to_pylist()) == {True}


def test_on_test_it_is_judged_as_before(study, scores, tmp_path):
    said, metrics = run(fitted(study, scores, tmp_path), study.labels, tmp_path / "on-test")
    assert metrics["outputs"][0]["leaks"] == [] and "KNOWN" not in said and "(of" not in said


def test_without_the_calibration_val_is_not_marked(study, scores, tmp_path):
    said, metrics = run(scores, study.labels, tmp_path / "on-val", split="val")
    assert metrics["outputs"][0]["leaks"] == []
    assert "val is reported: checkpoints are chosen and thresholds and calibrations fitted" in said


@pytest.mark.parametrize("split", ["train", "all"])
def test_every_split_but_test_says_what_it_means(study, scores, tmp_path, split):
    said, _ = run(scores, study.labels, tmp_path / "to", split=split)
    assert f"Note: {split} is reported: " in said


def trained(out: str, *records: LearnedFrom) -> None:
    """As score.py notes what the model's training.json says."""
    config = read_config(out)
    write_config(out, config.model_copy(update={"learned_from": records}))


def labels_of(folder: Path, videos: list[dict], fingerprint: str = "f" * 16) -> str:
    table = pa.Table.from_pylist(videos, schema=LABELLED_VIDEOS)
    write_labels(str(folder), WINDOWS.empty_table(), table, {"data_fingerprint": fingerprint})
    return str(folder)


SPELLINGS = {"the same": ("P-017", "P-017"), **SAME}


@pytest.mark.parametrize("pair", SPELLINGS.values(), ids=SPELLINGS)
def test_a_model_that_knows_a_person_in_test_is_refused_in_every_spelling(tmp_path, pair):
    """Trained on labels of one spelling, judged by labels of another."""
    known, written = pair
    video = {"uri": "/v.mp4", "label": 1, "duration_s": 5.0, "split": "train", "segments": []}
    learned = labels_of(tmp_path / "a", [video | {"video_id": "old", "participant_id": known}])
    videos = [
        video | {"video_id": f"v{n}", "participant_id": who, "split": "test", "label": n % 2}
        for n, who in enumerate([written, "Q", "R"])
    ]
    judged = labels_of(tmp_path / "b", videos, "e" * 16)
    out = str(tmp_path / "scores")
    make_output(out, {f"v{n}": [0.9] for n in range(3)})
    evaluate([out], judged)
    trained(out, *record_training(learned, "model lora-3"))
    with pytest.raises(ConfigError) as caught:
        evaluate([out], judged)
    assert "cannot be judged on test: model lora-3 was trained on 1 participant" in str(
        caught.value
    )
    marked = evaluate([out], judged, split="all").outputs[0]
    assert [leak.n_participants for leak in marked.leaks] == [1]


def test_a_video_that_both_hold_is_found_by_its_content(tmp_path):
    """Under another name, by labels with other pseudonyms."""
    video = {"uri": "/v.mp4", "label": 1, "duration_s": 5.0, "split": "train", "segments": [],
             "content": "c1"}  # fmt: skip
    learned = labels_of(tmp_path / "a", [video | {"video_id": "old", "participant_id": "0f3a"}])
    new = video | {"video_id": "v", "participant_id": "77b1", "split": "test"}
    judged = labels_of(tmp_path / "b", [new], "e" * 16)
    out = str(tmp_path / "scores")
    make_output(out, {"v": [0.9]})
    trained(out, *record_training(learned, "model m"))
    with pytest.raises(ConfigError, match="model m was trained on 1 participant"):
        evaluate([out], judged)


def test_val_is_known_to_a_model_whose_checkpoint_was_chosen_on_it(study, scores):
    trained(scores, *record_training(study.labels, "model m"))
    (leak,) = evaluate([scores], study.labels, split="val").outputs[0].leaks
    assert leak.use == "choice of the checkpoint"
    uses = {leak.use for leak in evaluate([scores], study.labels, split="all").outputs[0].leaks}
    assert uses == {"training", "choice of the checkpoint"}
    assert evaluate([scores], study.labels).outputs[0].leaks == ()


def test_trained_elsewhere(study, scores, tmp_path):
    with pytest.raises(ConfigError, match=r"of --trained-on was trained on 1 participant"):
        run(scores, study.labels, tmp_path / "to", trained_on=_table(tmp_path, "TEST-003"))
    run(scores, study.labels, tmp_path / "to", trained_on=_table(tmp_path, "somebody else"))
    said, metrics = run(
        scores, study.labels, tmp_path / "to", trained_on=study.labels, split="train"
    )
    assert [leak["use"] for leak in metrics["outputs"][0]["leaks"]] == ["training"]
    assert "OF KNOWN PEOPLE: the model of --trained-on was trained on 6 participants" in said


def _table(folder: Path, *people: str) -> str:
    (folder / "people.csv").write_text("participant\n" + "\n".join(people) + "\n")
    return str(folder / "people.csv")


def test_trained_elsewhere_under_pseudonyms(tmp_path):
    from ah_ray.cohort.participant_names import pseudonym

    (record,) = read_trained_on(_table(tmp_path, "P-017"), b"of sixteen bytes or more")
    video = {"participant_id": pseudonym("p-017", b"of sixteen bytes or more"), "content": None}
    assert find_leaks([record], [video])
    assert not find_leaks([record], [video | {"participant_id": pseudonym("P-018", b"key")}])


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "is neither an output of jobs/prepare.py nor a table"),
     ("none.csv", "cannot be read"), ("people.csv", "names no participant")],
)  # fmt: skip
def test_what_is_no_list_of_people(tmp_path, place, message):
    _table(tmp_path)
    with pytest.raises(ConfigError, match=message):
        read_trained_on(str(tmp_path / place), None)


@pytest.mark.parametrize("other", ["VAL-003", "val_003", "val-3", "val\u2011003"], ids=ascii)
def test_one_person_in_val_and_test_is_found_in_every_spelling(study, scores, tmp_path, other):
    videos = [dict(video) for video in study.videos]
    moved = next(video for video in videos if video["split"] == "test")
    moved["participant_id"] = other
    with pytest.raises(ConfigError) as caught:
        evaluate([scores], labels_of(tmp_path / "labels", videos))
    assert "val and test share 1 participant (" in str(caught.value)
    assert "also written" in str(caught.value)


def test_one_recording_in_val_and_test_is_found(study, scores, tmp_path):
    videos = [dict(video) for video in study.videos]
    for split in ("val", "test"):
        next(video for video in videos if video["split"] == split)["content"] = "c1"
    with pytest.raises(ConfigError, match="val and test share 1 recording under two participants"):
        evaluate([scores], labels_of(tmp_path / "labels", videos))


def test_a_reduction_without_the_calibration_forgets_it(study, scores, tmp_path):
    out = fitted(study, scores, tmp_path)
    trained(out, *read_config(out).learned_from, *record_training(study.labels, "model m"))
    plain = str(tmp_path / "plain")
    reduce_outputs([out], plain, reduction=Reduction())
    uses = {record.use for record in read_config(plain).learned_from}
    assert uses == {Use.TRAINING, Use.CHECKPOINT}, "what the model knows stays"


def test_hashes_are_keyed_by_the_labels():
    one, other = (
        learned_from(Use.TRAINING, data_fingerprint=key, participants=["p"], contents=["c", None])
        for key in ("a", "b")
    )
    assert one.participants != other.participants and len(one.contents) == 1
    assert one.has_participant("p") and not one.has_participant("q") and one.has_content("c")


def test_an_empty_split_leaves_no_record(study):
    assert record_split(study.labels, "nobody", Use.TRAINING) is None
