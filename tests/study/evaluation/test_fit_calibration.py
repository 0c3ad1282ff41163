import pytest
from invented_rows import make_output
from study.invented_study import make_scores, make_study

from ah_ray.config import Reduction
from ah_ray.errors import ConfigError
from ah_ray.output.config import read_config
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.settings import ScalingKind, Threshold

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
    with pytest.raises(ConfigError, match="p_ah does not rise with A/H"):
        fit_calibration(str(tmp_path / "against"), study.labels)
    one = {v["video_id"]: [0.2] for v in study.videos if v["label"]}
    make_output(str(tmp_path / "one"), one)
    with pytest.raises(ConfigError, match="do not have both labels"):
        fit_calibration(str(tmp_path / "one"), study.labels)
