"""`--protocol bah`: what papers print, for public and private test, over several seeds."""

import io
import json
from statistics import mean, stdev

import pytest
from rich.console import Console
from study.invented_study import make_scores, make_study

from ah_ray.config import Reduction
from ah_ray.errors import ConfigError
from ah_ray.results.calibration import write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.run import run_evaluation
from ah_ray.study.evaluation.settings import evaluate_settings


@pytest.fixture(scope="module")
def seeds(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    return [make_scores(folder / f"{n}", study, seed=n, model=f"seed-{n}") for n in range(3)]


@pytest.fixture
def run(study, tmp_path):
    def run(outs, **settings):
        values = {"labels": study.labels, "to": str(tmp_path / "to"), "draws": 100, **settings}
        console = Console(width=100, record=True, file=io.StringIO())
        run_evaluation(evaluate_settings(outs=outs, protocol="bah", **values), console)
        return console.export_text(), json.loads((tmp_path / "to/protocol.json").read_text())

    return run


def test_seeds_are_mean_and_sd(study, seeds, run):
    said, written = run(seeds)
    outputs = evaluate(seeds, study.labels, bootstrap=Bootstrap(draws=100)).outputs
    values = [each.counted_wrong.macro_f1.value for each in outputs]
    (test,) = written["tests"]
    found = next(each for each in test["figures"] if each["measure"] == "macro-F1")
    assert found["values"] == pytest.approx(values)
    assert (found["mean"], found["sd"]) == pytest.approx((mean(values), stdev(values)))
    assert f"{mean(values):.3f} ± {stdev(values):.3f}" in said
    assert "mean ± sd over 3 outputs" in said
    measures = [(each["level"], each["measure"]) for each in test["figures"]]
    assert measures[:2] == [("video", "macro-F1"), ("video", "AP (1,000 thresholds)")]
    assert ("video", "F1 of A/H") in measures and ("clip", "F1 of seconds") in measures
    assert "Up to 3 without a verdict count as wrong answers" in said
    assert "Private test: no labels" in said


def test_one_output_has_no_spread(seeds, run):
    said, written = run(seeds[:1])
    assert all(each["sd"] is None for each in written["tests"][0]["figures"])
    assert "±" not in said


def test_known_people_are_marked_here_too(study, seeds, run, tmp_path):
    known = tmp_path / "known.csv"
    names = sorted({video["participant_id"] for video in study.of("val")})[:3]
    known.write_text("\n".join(["participant", *names]))
    said, written = run(seeds[:2], split="val", trained_on=str(known))
    said = " ".join(said.split())
    assert "Note: OF KNOWN PEOPLE: the model of --trained-on was trained on 3 participants" in said
    assert "public test (of people that it knows)" in said
    (test,) = written["tests"]
    assert test["marks"] == ["(of people that it knows)"] * 2
    assert all(notes[0].startswith("OF KNOWN PEOPLE") for notes in test["notes"])


def test_what_holds_for_one_output_names_it(study, seeds, run, tmp_path):
    file, fitted = str(tmp_path / "calibration.json"), str(tmp_path / "fitted")
    write_calibration(file, fit_calibration(seeds[0], study.labels))
    reduce_outputs([seeds[0]], fitted, reduction=Reduction(), calibrations=[file])
    said, _ = run([fitted, seeds[1]], split="val")
    assert f"Note: {fitted}: OF KNOWN PEOPLE: calibration" in " ".join(said.split())


def test_people_of_the_private_test_are_refused_too(study, seeds, run, tmp_path):
    private = make_study(tmp_path / "private", {"test": 12}, seed=5)
    with_both = [make_scores(tmp_path / "both", study, more=private.videos)]
    known = tmp_path / "known.csv"
    known.write_text(f"participant\n{private.videos[0]['participant_id']}\n")
    with pytest.raises(ConfigError, match="cannot be judged on test"):
        run(with_both, private_labels=private.labels, trained_on=str(known))


def test_the_look_at_test_is_counted_here_too(seeds, run):
    assert "at test" in run(seeds[:1])[0]


def test_public_and_private_apart(study, seeds, run, tmp_path):
    private = make_study(tmp_path / "private", {"test": 12}, seed=5)
    with_both = [make_scores(tmp_path / "both", study, more=private.videos)]
    said, written = run(with_both, private_labels=private.labels)
    public, other = written["tests"]
    assert (public["name"], other["name"]) == ("public", "private")
    assert other["n_videos"] == len(private.videos) != public["n_videos"]
    assert "public test (test of" in said and "private test (test of" in said
