"""A calibration file is read as it was written, for the scores that it was fitted to alone."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from invented_calibration import FITTED_ON, calibration
from invented_rows import make_output, scoring

from ah_ray.config import Ensemble, OneModel, Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.output.config import read_config
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.results.calibration import (
    FittedOnClips,
    apply_calibrations,
    read_calibration,
    scoring_members,
    write_calibration,
)
from ah_ray.results.reduce import reduce_outputs
from ah_ray.verdicts.reduction import Scaling


@pytest.fixture
def write_file(tmp_path):
    """Writes one; gives its path."""

    def write(name="calibration.json", by=None, **changes):
        write_calibration(str(tmp_path / name), calibration(by, **changes))
        return str(tmp_path / name)

    return write


def test_read_as_written(write_file):
    assert read_calibration(write_file()) == calibration()
    assert read_calibration(write_file()).fingerprint == calibration().fingerprint


def test_on_s3(bucket):
    uri = f"s3://{bucket}/calibration.json"
    write_calibration(uri, calibration())
    assert read_calibration(uri) == calibration()


def test_the_fingerprint_is_of_what_verdicts_follow_from():
    same = calibration(fitted_at=datetime(2027, 1, 1, tzinfo=UTC), ah_ray_version="0.2")
    assert same.fingerprint == calibration().fingerprint
    others = [
        calibration(threshold=0.61),
        calibration(reducer="any"),
        calibration(scaling=None),
        calibration(fitted_on=FITTED_ON.model_copy(update={"n_ah": 10})),
        calibration(scoring("model-b")),
    ]
    prints = {other.fingerprint for other in others} | {calibration().fingerprint}
    assert len(prints) == 6 and all(len(one) == 16 for one in prints)


OF_CLIPS = {
    "schema_version": 2,
    "clip_scaling": Scaling(slope=0.5),
    "clip_scaling_by": "platt",
    "clips_fitted_on": FittedOnClips(n_clips=60, n_ah_clips=20, n_videos=18, n_participants=5),
}


def test_a_scaling_of_clips_is_part_of_the_file_only_where_there_is_one(write_file):
    path = Path(write_file())
    plain = json.loads(path.read_text())
    assert "clip_scaling" not in plain and plain["schema_version"] == 1
    assert read_calibration(write_file("c.json", **OF_CLIPS)) == calibration(**OF_CLIPS)
    assert calibration(**OF_CLIPS).fingerprint != calibration().fingerprint
    path.write_text(json.dumps(plain | {"clip_scaling": {"slope": 0.5, "intercept": 0.0}}))
    with pytest.raises(ConfigError, match="was edited since"):
        read_calibration(str(path))


def test_rows_follow_from_scaled_clips(write_file, tmp_path):
    scores, out = str(tmp_path / "scores"), str(tmp_path / "out")
    make_output(scores, {"a": [0.9, 0.5], "b": [0.2, 0.5]})
    files = [write_file(**OF_CLIPS, scaling=None, scaling_by="none")]
    reduce_outputs([scores], out, reduction=Reduction(), calibrations=files)
    rows = read_verdicts(out).to_pylist()
    assert [row["p_ah"] for row in rows] == pytest.approx([0.625, (1 / 3 + 0.5) / 2])
    clips = read_clips(out).to_pylist()
    assert [clip["p_ah"] for clip in clips] == [0.9, 0.5, 0.2, 0.5], "as the model scored"
    assert [clip["answer"] for clip in clips] == ["Yes", "No", "No", "No"]
    other = str(tmp_path / "b")
    make_output(other, {"a": [0.9]}, by=scoring("model-b"))
    with pytest.raises(ConfigError, match="fitted to other scores than those of model"):
        reduce_outputs([other], f"{out}-b", reduction=Reduction(), calibrations=files)


def test_an_edited_file_is_refused(write_file):
    path = Path(write_file())
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"threshold": 0.2}))
    with pytest.raises(ConfigError, match="was edited since"):
        read_calibration(str(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not JSON"),
        ("{}", "no calibration file"),
        ('{"schema_version": 3}', "newer ah_ray"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_calibration(tmp_path, content, words):
    if content is not None:
        (tmp_path / "c.json").write_text(content)
    with pytest.raises(ConfigError, match=words):
        read_calibration(str(tmp_path / "c.json"))


def test_of_another_model(write_file):
    file = write_file(by=scoring("model-b"))
    words = "fitted to other scores than those of model model-a .*print-of-model-b → print-of-mo"
    with pytest.raises(ConfigError, match=words):
        apply_calibrations(Reduction(), [file], scoring_members(scoring()))
    other = scoring(windows=Windows(hop_s=2.5))
    with pytest.raises(ConfigError, match=r"windows.hop_s 5.0 → 2.5"):
        apply_calibrations(Reduction(), [write_file()], scoring_members(other))


def test_one_for_each_model(write_file):
    files = [write_file(f"{n}.json", scoring(f"model-{n}"), threshold=n / 10) for n in range(3)]
    scored = [one for n in range(3) for one in scoring_members(scoring(f"model-{n}"))]
    vote = Reduction(ensemble=Ensemble.VOTE)
    found = apply_calibrations(vote, files, scored)
    assert [one.threshold for one in found.members] == [0.0, 0.1, 0.2]
    assert found.calibration_fingerprint not in {
        one.calibration_fingerprint for one in found.members
    }
    with pytest.raises(ConfigError, match=r"wanted 3 times and given 2 times"):
        apply_calibrations(vote, files[:2], scored)
    with pytest.raises(ConfigError, match="of model model-0"):
        apply_calibrations(vote, files[::-1], scored)


def test_several_models_in_one_run_are_distinguished(write_file):
    names = [f"model-{n}" for n in range(2)]
    models = tuple(OneModel(name=name, fingerprint=f"print-of-{name}") for name in names)
    together = scoring("model-0 + model-1", models=models)
    files = [write_file(f"{name}.json", scoring(name)) for name in names]
    found = apply_calibrations(Reduction(ensemble=Ensemble.MEAN), files, scoring_members(together))
    assert len(found.members) == 2


@pytest.mark.parametrize("asked", [{"reducer": "any"}, {"threshold": 0.5}])
def test_what_a_file_says_is_not_asked_for_besides(write_file, asked):
    with pytest.raises(ConfigError, match=f"leave out --{next(iter(asked))}"):
        apply_calibrations(Reduction(**asked), [write_file()], scoring_members(scoring()))


def test_a_mean_of_several_has_a_threshold_of_its_own(write_file):
    files = [write_file(f"{n}.json", scoring(f"model-{n}")) for n in range(2)]
    scored = [one for n in range(2) for one in scoring_members(scoring(f"model-{n}"))]
    mean = Reduction(ensemble=Ensemble.MEAN, threshold=0.3)
    assert apply_calibrations(mean, files, scored).threshold == 0.3
    with pytest.raises(ConfigError, match="leave out --threshold"):
        apply_calibrations(mean.model_copy(update={"ensemble": Ensemble.VOTE}), files, scored)


def test_rows_follow_from_the_file(write_file, tmp_path):
    scores, out = str(tmp_path / "scores"), str(tmp_path / "out")
    make_output(scores, {"a": [0.9, 0.9], "b": [0.5, 0.6]})
    file = write_file()
    reduce_outputs([scores], out, reduction=Reduction(), calibrations=[file])
    rows = read_verdicts(out).to_pylist()
    assert rows[0]["p_ah"] == pytest.approx(0.75)  # odds 9 → 3
    assert [row["answer"] for row in rows] == ["Yes", "No"]
    assert {row["calibration_fingerprint"] for row in rows} == {calibration().fingerprint}
    assert {(row["reducer"], row["threshold"]) for row in rows} == {("mean", 0.6)}
    assert read_clips(out)["p_ah"].to_pylist() == [0.9, 0.9, 0.5, 0.6]  # as the model scored
    assert read_config(out).reduction == calibration().reduction


def test_an_output_is_not_gone_on_with_by_another(write_file, tmp_path):
    scores, out = str(tmp_path / "scores"), str(tmp_path / "out")
    make_output(scores, {"a": [0.9]})
    reduce_outputs([scores], out, reduction=Reduction(), calibrations=[write_file()])
    with pytest.raises(ConfigError, match=r"calibration_fingerprint \w+ → \w+.*reduce.py"):
        reduce_outputs(
            [scores], out, reduction=Reduction(), calibrations=[write_file(threshold=0.61)]
        )
    again = reduce_outputs([scores], out, reduction=Reduction(), calibrations=[write_file()])
    assert (again.written, again.unchanged) == (0, 1)
