"""Contrasts as scores of the first question's labels, by themselves and beside p_ah."""

from __future__ import annotations

import json

import numpy as np
import pytest
from invented_rows import scoring, why_profile
from sklearn import metrics
from study.invented_answers import make_answered_scores, make_answers
from study.invented_study import make_scores

from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.answers.contrasts import BothScores, measure_scores
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.files import as_json, as_table
from ah_ray.verdicts.reduction import Reduction

FEW = Bootstrap(draws=100)


@pytest.fixture(scope="module")
def answered_study(tmp_path_factory):
    return make_answers(tmp_path_factory.mktemp("labels"), {"val": 8, "test": 16})


@pytest.fixture(scope="module")
def out(answered_study, tmp_path_factory):
    return make_answered_scores(tmp_path_factory.mktemp("scores"), *answered_study)


@pytest.fixture(scope="module")
def evaluation(answered_study, out):
    return evaluate([out], answered_study[0].labels, bootstrap=FEW)


def clips_of(out):
    """video_id → (start_s, p_ah, distance) of each clip that has one."""
    found = {}
    for clip in read_clips(out).to_pylist():
        for one in clip["contrasts"] or ():
            found.setdefault(clip["video_id"], []).append(
                (clip["start_s"], clip["p_ah"], one["distance"])
            )
    return found


def test_videos_as_read_from_the_tables(answered_study, out, evaluation):
    (found,) = evaluation.outputs[0].contrasts
    p_ah = dict(zip(*read_verdicts(out, ["video_id", "p_ah"]).to_pydict().values(), strict=True))
    clips = clips_of(out)
    videos = [video for video in answered_study[0].of("test") if video["video_id"] in clips]
    label = [video["label"] for video in videos]
    distance = [max(one[2] for one in clips[video["video_id"]]) for video in videos]
    scores = [p_ah[video["video_id"]] for video in videos]
    assert (found.contrast, found.between, found.reducer) == (
        "face-voice",
        ("face", "voice"),
        "any",
    )
    assert (found.videos.n, found.videos.n_ah) == (len(videos), sum(label))
    for name, measure in (
        ("average_precision", metrics.average_precision_score),
        ("auroc", metrics.roc_auc_score),
    ):
        alone, less = (getattr(each, name) for each in (found.videos, found.videos.less_p_ah))
        assert alone.value == pytest.approx(measure(label, distance))
        assert less.value == pytest.approx(measure(label, distance) - measure(label, scores))
        assert alone.low < alone.value < alone.high and less.low < less.value < less.high
    assert found.videos.fitted_on == "val"


def test_clips_by_what_is_marked(answered_study, out, evaluation):
    (found,) = evaluation.outputs[0].contrasts
    clips = clips_of(out)
    rows = [
        (any(s["start_s"] <= start_s < s["end_s"] for s in video["segments"]), p_ah, distance)
        for video in answered_study[0].of("test")
        for start_s, p_ah, distance in clips.get(video["video_id"], ())
    ]
    label, p_ah, distance = map(list, zip(*rows, strict=True))
    assert (found.clips.n, found.clips.n_ah) == (len(rows), sum(label))
    alone = metrics.roc_auc_score(label, distance)
    assert found.clips.auroc.value == pytest.approx(alone)
    less = found.clips.less_p_ah.auroc.value
    assert less == pytest.approx(alone - metrics.roc_auc_score(label, p_ah))


def draw_scores(knows, seed, n_people=40):
    random = np.random.default_rng(seed)
    whose = np.repeat(np.arange(n_people), 6)
    label = random.random(len(whose)) < 0.4
    p_ah = 1 / (1 + np.exp(-(1.5 * label - 0.7 + random.normal(size=len(whose)))))
    distance = 1 / (1 + np.exp(-(knows * (label - 0.5) + random.normal(size=len(whose)))))
    people = [f"{seed}-{one}" for one in whose]
    return BothScores(label=label, p_ah=p_ah, distance=distance, participant=people)


def test_what_it_adds_is_fitted_to_others():
    """A contrast that knows something of its own adds to p_ah; one of chance adds nothing."""
    good = measure_scores(draw_scores(2.0, 1), draw_scores(2.0, 2), "val")
    assert good.added.average_precision.low > 0 and good.added.auroc.low > 0
    chance = measure_scores(draw_scores(0.0, 1), draw_scores(0.0, 2), "val")
    assert chance.added.auroc.low < 0.01 and abs(chance.added.auroc.value) < 0.03
    assert chance.auroc.low < 0.5 < chance.auroc.high and chance.less_p_ah.auroc.high < 0
    turned = draw_scores(-2.0, 2)
    assert measure_scores(draw_scores(2.0, 1), turned, "val").added.auroc.high < 0, (
        "as it was on val"
    )


def test_a_score_that_is_p_ah_itself_differs_by_nothing():
    one = draw_scores(1.0, 3)
    same = BothScores(label=one.label, p_ah=one.p_ah, distance=one.p_ah,
                      participant=one.participant)  # fmt: skip
    found = measure_scores(same, same, "val")
    assert found.less_p_ah.auroc.value == 0 and found.less_p_ah.average_precision.low < 0
    assert found.added.auroc.value == pytest.approx(0)


def test_nothing_is_fitted_where_val_is_reported(answered_study, out):
    (found,) = (
        evaluate([out], answered_study[0].labels, split="val", bootstrap=FEW).outputs[0].contrasts
    )
    assert found.videos.added is None and found.videos.fitted_on is None
    assert found.videos.auroc.value is not None


def test_another_reducer_reduces_contrasts_too(answered_study, out, tmp_path):
    reduce_outputs([out], str(tmp_path / "mean"), reduction=Reduction(reducer="mean"))
    (mean,) = evaluate([str(tmp_path / "mean")], answered_study[0].labels,
                       bootstrap=FEW).outputs[0].contrasts  # fmt: skip
    clips = clips_of(out)
    videos = [video for video in answered_study[0].of("test") if video["video_id"] in clips]
    distance = [np.mean([one[2] for one in clips[video["video_id"]]]) for video in videos]
    label = [video["label"] for video in videos]
    assert mean.reducer == "mean"
    assert mean.videos.auroc.value == pytest.approx(metrics.roc_auc_score(label, distance))


def test_outputs_without_contrasts_have_none(answered_study, tmp_path):
    plain = make_scores(tmp_path / "plain", answered_study[0])
    assert evaluate([plain], answered_study[0].labels, bootstrap=FEW).outputs[0].contrasts == ()
    assert scoring(profile=why_profile()).profile.contrasts


def test_files_hold_them(evaluation):
    written = json.loads(as_json(evaluation))["outputs"][0]["contrasts"]
    assert written[0]["videos"]["added"]["auroc"]["value"] is not None
    rows = as_table(evaluation).to_pylist()
    parts = {row["part"] for row in rows if row["name"] == "face-voice"}
    levels = ("contrast", "clip_contrast")
    assert parts == {level + each for level in levels for each in ("", "_less_p_ah", "_added")}
