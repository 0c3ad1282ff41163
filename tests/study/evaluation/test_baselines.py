"""What needs no model, and whether a model's gain over it is real."""

import numpy as np
import pytest
from invented_rows import make_output, scoring
from study.invented_study import make_study

from ah_ray.errors import ConfigError
from ah_ray.study.evaluation.baselines import KnownFacts, compare_with_baselines
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.study.evaluation.question import column_of, columns_of
from ah_ray.study.evaluation.reported_videos import baseline_videos
from ah_ray.study.labelled_manifest import read_labelled_videos

SHARES = np.array([0.23, 0.4, 0.5, 0.6, 0.7, 0.93, 0.55])  # of A/H, by question, as in BAH
QUESTIONS = np.array([str(number + 1) for number in range(len(SHARES))])


def draw_videos(n_people, random, *, signal):
    """Facts of a cohort in which the question matters, and scores of a model.

    It has learned the question without a fault, and hears what is said by `signal`.
    """
    asked = np.tile(np.arange(len(SHARES)), n_people)
    label = random.random(len(asked)) < SHARES[asked]
    prior = np.log(SHARES / (1 - SHARES))[asked]
    heard = signal * (2 * label - 1) + random.normal(size=len(asked))
    p_ah = 1 / (1 + np.exp(-(prior + 2 * signal * heard)))
    whose = np.repeat(np.arange(n_people), len(SHARES))
    facts = KnownFacts(
        label=label,
        duration_s=np.exp(random.normal(3.1, 0.5, len(asked))),
        question=QUESTIONS[asked].tolist(),
    )
    return facts, Predictions.of(label, p_ah, p_ah >= 0.5, whose)


def compared(signal, seed, **how):
    random = np.random.default_rng(seed)
    fit, _ = draw_videos(143, random, signal=signal)
    facts, model = draw_videos(75, random, signal=signal)
    return compare_with_baselines(model, facts, fit, "train", **how)


@pytest.mark.parametrize("seed", range(5))
def test_a_model_that_learned_the_question_shows_no_gain(seed):
    found = compared(0.0, seed)
    assert found.best in ("question", "question + length")
    for name in ("accuracy", "macro_f1", "average_precision"):
        gain = getattr(found.gain, name)
        assert not gain.is_above_zero and abs(gain.value) < 0.06, name


def test_a_gain_without_signal_is_claimed_no_more_often_than_intervals_say():
    found = [compared(0.0, seed).gain for seed in range(100, 120)]
    assert sum(each.macro_f1.is_above_zero for each in found) <= 2
    assert sum(each.average_precision.is_above_zero for each in found) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_a_model_with_signal_shows_its_gain(seed):
    found = compared(0.8, seed)
    assert found.gain.macro_f1.is_above_zero and found.gain.average_precision.is_above_zero
    within = found.within_question
    assert within.n_questions == len(SHARES) and within.auroc > 0.75
    alone = compared(0.0, seed).within_question
    assert 0.4 < alone.auroc < 0.6, "nothing but the question was learned"
    assert alone.macro_f1.high < 0.5 < within.macro_f1.low


def test_a_question_is_as_good_as_it_is_in_the_public_split():
    found = {each.name: each.measures for each in compared(0.0, 1).each}
    assert list(found) == ["majority", "length", "question", "question + length"]
    assert found["majority"].macro_f1.value < 0.4
    assert found["length"].auroc.value == pytest.approx(0.5, abs=0.1)
    assert 0.58 < found["question"].macro_f1.value < 0.75


def test_the_length_counts_where_it_tells():
    random = np.random.default_rng(2)

    def cohort(n):
        duration_s = random.uniform(5, 60, n)
        label = random.random(n) < duration_s / 70
        return KnownFacts(label=label, duration_s=duration_s, question=[None] * n)

    facts = cohort(200)
    model = Predictions.of(facts.label, [0.4] * 200, [False] * 200, np.arange(200) // 4)
    found = compare_with_baselines(model, facts, cohort(400), "train")
    assert [each.name for each in found.each] == ["majority", "length"]
    assert found.best == "length" and found.gain.macro_f1.high < 0
    assert found.within_question is None


def test_the_gain_at_a_fitted_threshold():
    """Scores that are all too low: as they stand all answers are No."""
    random = np.random.default_rng(3)
    fit, _ = draw_videos(60, random, signal=0.8)
    facts, model = draw_videos(60, random, signal=0.8)
    low = Predictions.of(facts.label, model.p_ah / 10, [False] * len(facts), model.participant)
    found = compare_with_baselines(low, facts, fit, "train", threshold=0.05)
    assert found.gain.macro_f1.high < 0 < found.gain_at_fitted.macro_f1.low


@pytest.mark.parametrize(
    ("video", "row", "wanted"),
    [
        ({"uri": "s3://b/Videos/7/1/7_Question_3_2023-11-09.mp4"}, None, "3"),
        ({"uri": "/v/a_Question_12.mp4"}, {"question": None}, "12"),
        ({"uri": "/v/a_Question_3_x.mp4"}, {"question": "work"}, "work"),
        ({"uri": "/v/a_Question_3_x.mp4", "question": "q4"}, {"question": ""}, "q4"),
        ({"uri": "/v/question-3.mp4"}, {}, None),
        ({"uri": None}, {}, None),
    ],
)
def test_the_question_of_a_video(video, row, wanted):
    assert column_of("question", video, row) == wanted


def test_columns_of_the_manifest_come_through_rows(tmp_path):
    """No label says which question or site it is: the rows of train and test do."""
    study = make_study(tmp_path / "labels", {"train": 30, "test": 40})
    said = {
        video["video_id"]: {
            "question": "easy" if video["label"] else "hard",
            "groups": [("site", "north" if number % 2 else "south")],
        }
        for number, video in enumerate(study.videos)
    }
    out = str(tmp_path / "out")
    make_output(out, {video_id: [0.9] for video_id in said}, said=said)
    (found,) = evaluate(
        [out], study.labels, bootstrap=Bootstrap(draws=100), group_by=("site",)
    ).outputs
    assert [each.group for each in found.slices if each.by == "site"] == ["north", "south"]
    of = {each.name: each.measures for each in found.baselines.each}
    assert of["question"].macro_f1.value == 1, "it was fitted to the questions of train's rows"
    with pytest.raises(ConfigError, match="--group-by clinic: neither the rows"):
        evaluate([out], study.labels, group_by=("clinic",))


def test_only_columns_that_are_known():
    videos = [{"video_id": "a", "site": "x"}, {"video_id": "b"}]
    rows = {"b": {"visit": 2, "groups": [("ward", "w")]}}
    found = columns_of(["site", "visit", "question", "ward"], videos, rows)
    assert found == {"site": ["x", None], "visit": [None, "2"], "ward": [None, "w"]}


def test_baselines_of_an_evaluation(tmp_path):
    study = make_study(tmp_path / "labels", {"train": 30, "val": 12, "test": 20})
    make_output(str(tmp_path / "out"), {v["video_id"]: [0.3, 0.9] for v in study.of("test")})
    (output,) = evaluate(
        [str(tmp_path / "out")], study.labels, bootstrap=Bootstrap(draws=100)
    ).outputs
    found = output.baselines
    assert (found.fitted_on, found.n_videos) == ("train", len(study.of("train")))
    assert [each.name for each in found.each] == ["majority", "length"]
    assert found.gain.n_videos == len(study.of("test"))
    table = read_labelled_videos(study.labels)
    assert baseline_videos(table, "train", study.of("train"))[0] == "val"
    assert baseline_videos(table, "all", study.videos) == ("train", [])


def test_who_is_reported_takes_no_part_in_fitting_a_baseline(tmp_path):
    study = make_study(tmp_path / "labels", {"train": 5, "test": 5})
    table = read_labelled_videos(study.labels)
    reported = study.of("test") + study.of("train")[:1]
    _, fitting = baseline_videos(table, "test", reported)
    whose = {video["participant_id"] for video in reported}
    assert fitting and not whose & {video["participant_id"] for video in fitting}


def test_scores_of_questions_in_rows_and_names(tmp_path):
    """As BAH names its files: the question is a group, and within it the model is measured."""
    assert scoring().model  # the output below is of the default model
    study = make_study(tmp_path / "labels", {"train": 30, "test": 40}, named=True)
    rows = {v["video_id"]: [0.9 if v["label"] else 0.1] for v in study.of("test")}
    make_output(str(tmp_path / "out"), rows)
    (output,) = evaluate(
        [str(tmp_path / "out")], study.labels, bootstrap=Bootstrap(draws=100)
    ).outputs
    groups = [each.group for each in output.slices if each.by == "question"]
    assert groups[:2] == ["1", "2"]
    assert {each.name for each in output.baselines.each} >= {"question", "question + length"}
    assert output.baselines.within_question.macro_f1.value == 1
