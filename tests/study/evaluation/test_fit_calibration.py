import io

import pyarrow as pa
import pytest
from invented_rows import make_output
from rich.console import Console
from study.invented_study import make_scores, make_study

from ah_ray.config import Reduction
from ah_ray.errors import ConfigError
from ah_ray.output.config import read_config
from ah_ray.results.calibration import read_calibration, write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.run import run_evaluation
from ah_ray.study.evaluation.settings import ScalingKind, Threshold, evaluate_settings
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, read_about, write_labels

HOW = Bootstrap(draws=100)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("labels"), {"val": 30, "test": 30})


@pytest.fixture(scope="module")
def scores(study, tmp_path_factory):
    return make_scores(tmp_path_factory.mktemp("scores"), study, sureness=5)


def test_it_says_what_it_was_fitted_to(study, scores):
    found = fit_calibration(scores, study.labels, reducer="mean")
    assert found.fitted_on.model_dump() == {
        "data_fingerprint": "0123456789abcdef",
        "split": "val",
        "n_videos": len(study.of("val")),
        "n_participants": 30,
        "n_ah": sum(video["label"] for video in study.of("val")),
    }
    assert found.config_fingerprint == read_config(scores).config_fingerprint
    assert (found.reducer, found.scaling_by, found.threshold_by) == (
        "mean", "platt", "macro-f1",
    )  # fmt: skip
    assert found.fingerprint == fit_calibration(scores, study.labels, reducer="mean").fingerprint


def test_rows_formed_by_it_are_as_good_as_was_said(study, scores, tmp_path):
    """The threshold for macro-F1 on val, through the file and the rows, gives test's own figure."""
    said = evaluate([scores], study.labels, bootstrap=HOW).outputs[0]
    calibration = fit_calibration(scores, study.labels)
    out = str(tmp_path / "out")
    reduce_outputs([scores], out, reduction=calibration.reduction)
    found = evaluate([out], study.labels, bootstrap=HOW).outputs[0]
    wanted = next(each for each in said.thresholds if each.how == "macro-f1")
    assert found.scored.confusion == wanted.measures.confusion
    scaled = next(each for each in said.calibration if each.scaling_by == "platt")
    assert found.calibration[0].ece == pytest.approx(scaled.ece)


def test_ways_to_find_a_threshold(study, scores):
    plain = {"scaling_by": ScalingKind.NONE}
    fixed = fit_calibration(scores, study.labels, threshold=0.3, **plain)
    assert (fixed.threshold, fixed.threshold_by, fixed.scaling) == (0.3, "fixed", None)
    rate = fit_calibration(scores, study.labels, threshold=Threshold.BASE_RATE, **plain)
    said = evaluate([scores], study.labels, bootstrap=HOW).outputs[0]
    assert rate.threshold == next(e.threshold for e in said.thresholds if e.how == "base-rate")


def test_clips_are_fitted_first_and_the_video_to_what_they_make(study, scores, tmp_path):
    how = {"reducer": "mean", "scaling_by": ScalingKind.NONE}
    found = fit_calibration(scores, study.labels, clip_scaling_by=ScalingKind.PLATT, **how)
    val, plain = study.of("val"), fit_calibration(scores, study.labels, **how)
    assert found.clips_fitted_on.n_clips == sum(round(v["duration_s"] / 5) for v in val)
    assert found.clips_fitted_on.n_participants == 30
    assert found.learned_from == plain.learned_from and found.learned_from is not None
    assert 0.1 < found.clip_scaling.slope < 0.6, "the model is about 5 times too sure of itself"
    before = evaluate([scores], study.labels, bootstrap=HOW).outputs[0].timeline.calibration
    platt = next(each for each in before if each.scaling_by == "platt")
    fitted = (found.clip_scaling.slope, found.clip_scaling.intercept)
    assert (platt.slope, platt.intercept) == pytest.approx(fitted), "as the evaluation's table says"
    assert platt.ece < 0.5 * before[0].ece, "on test, which it has not seen"

    file, out = str(tmp_path / "clips.json"), str(tmp_path / "out")
    write_calibration(file, found)
    reduce_outputs([scores], out, reduction=Reduction(), calibrations=[file])
    config = read_config(out)
    assert config.reduction.clip_scaling == found.clip_scaling
    assert [one.use for one in config.learned_from] == ["calibration"]
    with pytest.raises(ConfigError, match="was fitted to 30 participants reported here"):
        evaluate([out], val_as_test(study, tmp_path / "other"), bootstrap=HOW)


def relabelled(study, folder, videos):
    table = pa.Table.from_pylist(videos, schema=LABELLED_VIDEOS)
    write_labels(str(folder), WINDOWS.empty_table(), table, read_about(study.labels))
    return str(folder)


def val_as_test(study, folder):
    """The people of val, called test: a calibration that was fitted to them knows them."""
    return relabelled(study, folder, [v | {"split": "test"} for v in study.of("val")])


def test_clips_cannot_be_fitted_where_no_label_says_when(study, scores, tmp_path):
    labels = relabelled(study, tmp_path / "l", [v | {"segments": []} for v in study.videos])
    with pytest.raises(ConfigError, match=r"--clip-scaling platt: no label of val says when"):
        fit_calibration(scores, labels, clip_scaling_by=ScalingKind.PLATT)


def test_what_cannot_be_fitted(study, scores, tmp_path):
    with pytest.raises(ConfigError, match="--reducer median"):
        fit_calibration(scores, study.labels, reducer="median")
    without_val = make_study(tmp_path / "labels", {"test": 12})
    with pytest.raises(ConfigError, match="has no video in val"):
        fit_calibration(scores, without_val.labels)
    other = make_scores(tmp_path / "b", study, model="model-b")
    reduce_outputs([scores, other], str(tmp_path / "vote"), reduction=Reduction())
    with pytest.raises(ConfigError, match=r"is of several models \(vote of 2 outputs\)"):
        fit_calibration(str(tmp_path / "vote"), study.labels)


def test_scores_that_fall_with_ah(study, tmp_path):
    against = {v["video_id"]: [0.2 if v["label"] else 0.8] for v in study.videos}
    make_output(str(tmp_path / "against"), against)
    with pytest.raises(ConfigError, match="p_ah does not rise with the labels"):
        fit_calibration(str(tmp_path / "against"), study.labels)
    one = {v["video_id"]: [0.2] for v in study.videos if v["label"]}
    make_output(str(tmp_path / "one"), one)
    with pytest.raises(ConfigError, match="do not have both labels"):
        fit_calibration(str(tmp_path / "one"), study.labels)


def test_the_job_writes_and_names_a_calibration_of_clips(study, scores, tmp_path):
    console, file = Console(file=io.StringIO(), width=1_000), tmp_path / "clips.json"
    settings = evaluate_settings(
        outs=[scores],
        labels=study.labels,
        to=str(tmp_path / "to"),
        write_calibration=str(file),
        clip_scaling="temperature",
        draws=100,
    )
    run_evaluation(settings, console)
    found = read_calibration(str(file))
    assert (found.clip_scaling_by, found.scaling_by) == ("temperature", "platt")
    clips = found.clips_fitted_on
    assert (
        f": clips by temperature: slope {found.clip_scaling.slope:.3f} (fitted to {clips.n_clips} "
        f"clips, {clips.n_ah_clips} of them A/H), any, platt: slope "
    ) in console.file.getvalue()
