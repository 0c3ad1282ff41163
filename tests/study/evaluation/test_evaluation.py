"""An evaluation of invented outputs: all its parts, and that nothing fitted has seen test."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from invented_rows import make_output
from study.invented_study import make_scores, make_study

from ah_ray.config import Reduction
from ah_ray.errors import ConfigError
from ah_ray.output.read import read_verdicts
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.files import METRICS, as_json, write_evaluation
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.reported_videos import split_videos
from ah_ray.study.labelled_manifest import (
    LABELLED_VIDEOS,
    read_labelled_videos,
    read_windows,
    write_labels,
)

HOW = Bootstrap(draws=200)


@pytest.fixture(scope="module")
def evaluation(study, scores):
    return evaluate([scores], study.labels, bootstrap=HOW)


@pytest.fixture
def relabelled(study, tmp_path):
    """The same manifest with rows changed."""

    def change(how) -> str:
        table = read_labelled_videos(study.labels)
        rows = [how(dict(row)) for row in table.to_pylist()]
        videos = table.schema.empty_table().from_pylist(rows, schema=LABELLED_VIDEOS)
        folder = str(tmp_path / "relabelled")
        windows = read_windows(study.labels)
        write_labels(folder, windows, videos, {"data_fingerprint": "f" * 16})
        return folder

    return change


def test_all_of_test_is_there_scored_or_not(study, evaluation):
    (output,) = evaluation.outputs
    test = study.of("test")
    assert evaluation.labels.n_videos == len(test) == output.counted_wrong.n_videos
    assert evaluation.labels.n_ah == sum(video["label"] for video in test)
    assert output.unscored.by_reason == {"no row": 1, "timeout": 1, "unreadable": 1}
    assert output.scored.n_videos == len(test) - 3
    found = output.counted_wrong.confusion
    right = output.scored.confusion
    assert (found.tp, found.tn) == (right.tp, right.tn)
    assert found.fn - right.fn == output.unscored.n_ah
    assert output.counted_wrong.accuracy.value < output.scored.accuracy.value


def test_verdicts_as_they_stand(study, scores, evaluation):
    answers = {r["video_id"]: r["answer"] for r in read_verdicts(scores).to_pylist()}
    wanted = Counter(
        (video["label"], answers[video["video_id"]])
        for video in study.of("test")
        if answers.get(video["video_id"])
    )
    found = evaluation.outputs[0].scored.confusion
    assert (found.tp, found.fn) == (wanted[1, "Yes"], wanted[1, "No"])
    assert (found.fp, found.tn) == (wanted[0, "Yes"], wanted[0, "No"])


def test_reducers_side_by_side_are_those_of_reduce(study, scores, evaluation, tmp_path):
    found = {each.reducer: each for each in evaluation.outputs[0].reducers}
    assert list(found) == ["any", "mean", "topk3", "noisyor", "share", "duration"]
    for name in ("noisyor", "share"):
        out = str(tmp_path / name)
        threshold = found[name].threshold
        reduction = Reduction(reducer=name, threshold=threshold)
        reduce_outputs([scores], out, reduction=reduction)
        (reduced,) = evaluate([out], study.labels, bootstrap=HOW).outputs
        assert reduced.scored == found[name].fitted
        assert reduced.threshold == threshold


def test_calibration_on_val_lowers_ece_on_test(evaluation):
    found = {each.scaling_by: each for each in evaluation.outputs[0].calibration}
    assert set(found) == {"none", "temperature", "platt", "isotonic"}
    for scaling in ("temperature", "platt", "isotonic"):
        assert found[scaling].ece < 0.75 * found["none"].ece
        assert found[scaling].brier.value < found["none"].brier.value
        assert found[scaling].fitted_on == "val"


def fitted(evaluation, calibration):
    (output,) = evaluation.outputs
    return (
        [each.threshold for each in output.thresholds if each.fitted_on],
        [(each.threshold, each.on_val) for each in output.reducers],
        [(each.slope, each.intercept) for each in output.calibration],
        calibration.reduction.model_copy(update={"calibration_fingerprint": None}),
    )


def test_what_is_fitted_has_never_seen_test(study, scores, evaluation, relabelled, tmp_path):
    """Test says the opposite of what it said, by labels and by scores: nothing fitted moves."""
    turned = relabelled(
        lambda row: row | ({"label": 1 - row["label"]} if row["split"] == "test" else {})
    )
    of_test = {video["video_id"] for video in study.of("test")}
    rescored = {
        row["video_id"]: [0.123] if row["video_id"] in of_test else clips
        for row, clips in timelines(scores)
        if clips
    }
    other = str(tmp_path / "rescored")
    make_output(other, rescored)
    before = fitted(evaluation, fit_calibration(scores, study.labels))
    for out, labels in ((scores, turned), (other, study.labels), (other, turned)):
        again = evaluate([out], labels, bootstrap=HOW)
        assert again.outputs[0].scored != evaluation.outputs[0].scored
        assert fitted(again, fit_calibration(out, labels)) == before


def timelines(out):
    from ah_ray.output.stream import stream_rows

    for row in stream_rows(out):
        yield row, [clip["p_ah"] for clip in row["clips"]]


def test_who_is_in_val_and_in_test_is_an_error(study, scores, relabelled):
    one = study.of("test")[0]["participant_id"]
    leaking = relabelled(
        lambda row: row | ({"participant_id": one} if row["split"] == "val" else {})
    )
    with pytest.raises(ConfigError, match=f"val and test share 1 participant \\({one}\\)"):
        evaluate([scores], leaking, bootstrap=HOW)


@pytest.mark.parametrize("split", ["val", "all"])
def test_where_val_is_reported_nothing_is_fitted(study, scores, split):
    (output,) = evaluate([scores], study.labels, split=split, bootstrap=HOW).outputs
    assert [each.how for each in output.thresholds] == ["fixed"]
    assert [each.scaling_by for each in output.calibration] == ["none"]
    assert all(each.fitted is None and each.on_val is None for each in output.reducers)
    assert "nothing is fitted, because val itself is reported" in output.notes


def test_train_may_be_reported(study, scores):
    found = evaluate([scores], study.labels, split="train", bootstrap=HOW)
    assert found.labels.n_videos == len(study.of("train"))
    assert len(found.outputs[0].thresholds) == 3


def test_splits_are_by_the_manifest(study):
    table = read_labelled_videos(study.labels)
    reported, fitting = split_videos(table, "test")
    assert {video["split"] for video in reported} == {"test"}
    assert {video["split"] for video in fitting} == {"val"}
    with pytest.raises(
        ConfigError,
        match="--split dev: there is no such split; choose one",
    ):
        split_videos(table, "dev")


def test_videos_without_a_label_are_counted_apart(study, scores, relabelled):
    first = study.of("test")[3]["video_id"]
    labels = relabelled(lambda row: row | ({"label": None} if row["video_id"] == first else {}))
    found = evaluate([scores], labels, bootstrap=HOW)
    assert found.labels.n_without_label == 1
    assert found.labels.n_videos == len(study.of("test")) - 1


def test_the_files_say_the_same(evaluation, tmp_path):
    write_evaluation(str(tmp_path), evaluation)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert (tmp_path / "metrics.json").read_bytes() == as_json(evaluation)
    scored = written["outputs"][0]["scored"]
    assert scored["macro_f1"]["value"] == evaluation.outputs[0].scored.macro_f1.value
    table = pq.read_table(tmp_path / "metrics.parquet")
    assert table.schema.equals(METRICS)
    rows = {(r["part"], r["name"], r["measure"]): r for r in table.to_pylist()}
    assert len(rows) == len(table)
    assert rows["scored", None, "macro_f1"]["low"] == scored["macro_f1"]["low"]
    assert {part for part, _, _ in rows} == {
        "scored", "counted_wrong", "reducer_at_half", "reducer_on_val", "reducer_fitted",
        "threshold", "slice", "slice_difference", "calibration", "clip_calibration", "timeline",
        "baseline", "gain",
    }  # fmt: skip
    assert rows["slice", "gender: woman", "macro_f1"]["n_participants"] >= 10
    timeline = evaluation.outputs[0].timeline
    assert rows["timeline", None, "iou"]["n_videos"] == timeline.n_videos
    assert rows["timeline", None, "iou"]["n_participants"] == timeline.n_participants
    assert ("slice", "ethnicity: b", "macro_f1") not in rows  # too few


def test_no_verdict_and_no_label_in_common(study, tmp_path):
    make_output(str(tmp_path / "others"), {"x": [0.5], "y": [0.5]})
    with pytest.raises(ConfigError, match=r"none of the videos in .* \(x, y …\) is labelled"):
        evaluate([str(tmp_path / "others")], study.labels, bootstrap=HOW)


def test_one_label_alone_and_few_people(tmp_path):
    study = make_study(tmp_path / "labels", {"test": 3})
    scores = make_scores(tmp_path / "scores", study)
    (output,) = evaluate([scores], study.labels, bootstrap=HOW).outputs
    assert any("too few for intervals" in note for note in output.notes)
    assert any("val has no scored videos" in note for note in output.notes)
    assert output.scored.macro_f1.low is None and output.scored.macro_f1.too_few
