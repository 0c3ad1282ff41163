"""Answers to further questions on their way from finished rows to other results."""

import pytest
from invented_rows import EFFORT, make_output, row, scoring, why_profile

from ah_ray import storage
from ah_ray.config import Ensemble, Reduction
from ah_ray.errors import ErrorKind
from ah_ray.output.config import make_config
from ah_ray.output.read import read_answers, read_clips, read_expected_values, read_verdicts
from ah_ray.results.ensembles import combine_rows, ensemble_config
from ah_ray.results.purge import purge_videos
from ah_ray.results.reduce import reduce_outputs
from ah_ray.results.status import read_status
from ah_ray.results.status_view import status_lines

WHY = scoring(profile=why_profile({"effort": EFFORT}))
VIDEOS = {"a": [0.1, 0.6], "b": [ErrorKind.DECODE, 0.9], "c": ErrorKind.UNREADABLE}


@pytest.fixture
def why(tmp_path) -> str:
    make_output(str(tmp_path / "why"), VIDEOS, by=WHY, hide_uris=True)
    return str(tmp_path / "why")


def test_another_reducer_of_the_verdict_leaves_them(why, tmp_path):
    out = str(tmp_path / "mean")
    reduced = reduce_outputs([why], out, reduction=Reduction(reducer="mean"))
    assert reduced.written == 3
    assert read_answers(out) == read_answers(why)
    assert read_verdicts(out, ["asked"]) == read_verdicts(why, ["asked"])
    assert read_verdicts(out)["p_ah"].to_pylist() == [0.35, 0.9, None]
    assert reduce_outputs([why], out, reduction=Reduction(reducer="mean")).unchanged == 3


def test_an_ensemble_has_the_means_of_its_members(why, tmp_path):
    other = scoring("model-b", profile=why_profile().select_questions(["face"]))
    make_output(str(tmp_path / "other"), VIDEOS, by=other)
    out = str(tmp_path / "both")
    reduce_outputs([why, str(tmp_path / "other")], out, reduction=Reduction())
    averaged = ["p", "mass", "value"]
    assert read_answers(out).drop_columns(averaged) == read_answers(why).drop_columns(averaged)
    values = [[one["value"] for one in read_expected_values(of).to_pylist()] for of in (out, why)]
    assert values[0] == pytest.approx(values[1]) and len(values[0]) == 2
    assert read_answers(out)["p"].to_pylist() == pytest.approx(read_answers(why)["p"].to_pylist())
    assert read_clips(out)["contrasts"].to_pylist() == read_clips(why)["contrasts"].to_pylist()
    for ours, theirs in zip(
        read_verdicts(out)["asked"].to_pylist(),
        read_verdicts(why)["asked"].to_pylist(),
        strict=True,
    ):
        assert [one["reducer"] for one in ours or ()] == [one["reducer"] for one in theirs or ()]
        assert [one["p"] for one in ours or ()] == pytest.approx([o["p"] for o in theirs or ()])


def test_means_by_hand():
    """Two members with the same questions, and one of an earlier ah_ray, which has no answers."""
    models = [WHY, scoring("model-b", profile=why_profile()), scoring("model-c")]
    config = ensemble_config(
        [make_config(model, Reduction()) for model in models], Reduction(ensemble=Ensemble.MEAN)
    )
    rows = [row("v", [0.2], by=models[0]), row("v", [0.6], by=models[1]), row("v", [0.7])]
    face = rows[1]["clips"][0]["answers"][2]
    before, face["p"] = face["p"], 1.0
    made = combine_rows(rows, config)
    answers = made["clips"][0]["answers"]
    assert answers[0]["p"] == pytest.approx(0.4) and answers[2]["p"] == (before + 1) / 2
    assert made["asked"][0]["p"] == answers[2]["p"]
    assert made["p_ah"] == pytest.approx(0.5)


def test_a_video_that_is_removed_leaves_no_answers(why, tmp_path):
    withdrawn = tmp_path / "withdrawn.csv"
    withdrawn.write_text("uri,video_id\n/cohort/a.mp4,a\n")
    purge_videos(why, str(withdrawn))
    assert set(read_answers(why)["video_id"].to_pylist()) == {"b"}
    assert b"cohort" not in storage.read_bytes(storage.join(why, "answers.parquet"))
    withdrawn.write_text("uri,video_id\n/cohort/b.mp4,b\n")
    purge_videos(why, str(withdrawn))
    assert not storage.exists(storage.join(why, "answers.parquet"))


def test_the_status_says_what_is_asked(why, tmp_path):
    lines = list(status_lines(read_status(why)))
    assert "Asks      ah, face (picture), voice (sound), seen, effort" in lines
    make_output(str(tmp_path / "one"), VIDEOS)
    assert not any(
        line.startswith("Asks") for line in status_lines(read_status(str(tmp_path / "one")))
    )
