import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.settings import Threshold, evaluate_settings

NEEDED = {"outs": ["scores"], "labels": "labels"}


def test_defaults():
    found = evaluate_settings(**NEEDED)
    assert (found.split, found.draws, found.seed) == ("test", 2_000, 0)
    assert found.folder.endswith("/scores/evaluation")
    assert evaluate_settings(**NEEDED, to="s3://b/m").folder == "s3://b/m"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("macro-f1", Threshold.MACRO_F1), ("base-rate", Threshold.BASE_RATE), ("0.4", 0.4), (1, 1.0)],
)
def test_a_threshold_by_name_or_number(given, wanted):
    found = evaluate_settings(**NEEDED, write_calibration="c.json", threshold=given)
    assert found.threshold == wanted


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": None}, "--labels"),
        ({"outs": []}, "--outs"),
        ({"split": "dev"}, "--split: there is none named 'dev'; there are train, val, test, all"),
        ({"draws": 10}, "--draws"),
        ({"threshold": "high"}, "--threshold: give macro-f1, base-rate, or a probability"),
        ({"threshold": "nan"}, "--threshold: give macro-f1"),
        ({"threshold": "fixed"}, "--threshold: give macro-f1"),
        ({"threshold": 2}, "--threshold: give macro-f1"),
        ({"scaling": "beta"}, "--scaling"),
        ({"protocol": "abaw"}, "--protocol"),
        ({"private_labels": "p"}, "--private-labels belongs to --protocol bah"),
        ({"reducer": "mean"}, "^--reducer is for the file of --write-calibration"),
        ({"write_calibration": "c", "outs": ["a", "b"]}, "name one OUT"),
        ({"label": "x"}, "label: there is no such setting; choose from clip_scaling"),
    ],
)
def test_mistakes_name_the_flag(changes, words):
    with pytest.raises(ConfigError, match=words):
        evaluate_settings(**NEEDED | changes)


def test_without_labels():
    with pytest.raises(ConfigError, match="--labels is missing: OUT and --labels"):
        evaluate_settings(outs=["scores"])
