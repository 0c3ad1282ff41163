"""Answers to further questions against labels of them: videos, clips, rules, mistakes."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from invented_rows import EFFORT, make_output, scoring, why_profile
from rich.console import Console
from scipy import stats
from sklearn import metrics
from study.invented_answers import (
    ANSWERS_OF,
    answers_profile,
    make_answered_scores,
    make_answers,
)

from ah_ray.cohort.participant_names import normal_form
from ah_ray.errors import ConfigError
from ah_ray.output.read import read_answers, read_expected_values, read_verdicts
from ah_ray.profile import load_profile
from ah_ray.provenance.learned_from import Use, learned_from
from ah_ray.results.calibration import write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.results.status import read_status
from ah_ray.results.status_view import status_lines
from ah_ray.study.evaluation.answers.labels import LabelledInterval, find_answer
from ah_ray.study.evaluation.answers.question_evaluation import evaluate_question
from ah_ray.study.evaluation.answers.question_lookup import find_question
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.files import METRICS, as_json, as_table
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.run import run_evaluation
from ah_ray.study.evaluation.settings import evaluate_settings
from ah_ray.study.labelled_manifest import (
    MOMENTS,
    read_about,
    read_labelled_answers,
    read_labelled_videos,
    read_windows,
    write_labels,
)
from ah_ray.verdicts.reduction import Reduction

FEW = Bootstrap(draws=100)
PARTICIPANTS = {"train": 4, "val": 8, "test": 16}


@pytest.fixture(scope="module")
def answered_study(tmp_path_factory):
    return make_answers(tmp_path_factory.mktemp("labels"), PARTICIPANTS)


@pytest.fixture(scope="module")
def out(answered_study, tmp_path_factory):
    return make_answered_scores(tmp_path_factory.mktemp("scores"), *answered_study, knows=0.8)


@pytest.fixture
def labels(answered_study, tmp_path):
    """A copy of the labels, to change."""
    return str(shutil.copytree(answered_study[0].labels, tmp_path / "labels"))


def judge(name, outs, labels, **how):
    outs = [outs] if isinstance(outs, str) else outs
    question = find_question(name, outs)
    return evaluate_question(question, outs, labels, **{"bootstrap": FEW, **how})


def change_answers(labels, change, **more):
    """Replace the labels of questions by what `change` makes of their rows."""
    table = read_labelled_answers(labels)
    rows = [row for row in map(change, table.to_pylist()) if row is not None]
    videos = more.get("videos", read_labelled_videos(labels))
    answers = pa.Table.from_pylist(rows, schema=table.schema)
    write_labels(labels, read_windows(labels), videos, read_about(labels), answers=answers)


def labels_of(name, answered_study, split="test"):
    """video_id → its answer as a whole."""
    return {
        row["video_id"]: row["answer"]
        for row in answered_study[1]
        if (row["question"], row["split"], row["start_s"]) == (name, split, None)
    }


def answers_of(name, out):
    """video_id → answer → probability, as the rows hold them."""
    found = {}
    for row in read_verdicts(out, ["video_id", "asked"]).to_pylist():
        for one in row["asked"] or ():
            if one["question"] == name:
                found.setdefault(row["video_id"], {})[one["answer"]] = one["p"]
    return found


@pytest.mark.parametrize("name", ["face", "effort"])
def test_several_answers_as_read_from_the_rows(answered_study, out, name):
    (found,) = judge(name, out, answered_study[0].labels).answers
    wanted, given = labels_of(name, answered_study), answers_of(name, out)
    both = sorted(wanted.keys() & given.keys())
    label = [wanted[one] for one in both]
    likeliest = [max(given[one], key=given[one].get) for one in both]
    assert found.scored.n == len(both) == len(wanted) - 3
    assert found.scored.accuracy.value == pytest.approx(metrics.accuracy_score(label, likeliest))
    macro = metrics.f1_score(label, likeliest, average="macro")
    assert found.scored.macro_f1.value == pytest.approx(macro)
    confusion = metrics.confusion_matrix(label, likeliest, labels=list(ANSWERS_OF[name]))
    assert np.array_equal(np.array(found.scored.confusion)[:, :-1], confusion)
    assert found.n_without_answer == 3
    assert found.without_answer == {"no row": 1, "timeout": 1, "unreadable": 1}
    share = found.scored.n_right / len(wanted)
    assert found.counted_wrong.accuracy.value == pytest.approx(share)
    assert sum(row[-1] for row in found.counted_wrong.confusion) == 3
    assert found.reducer == ("any" if name == "face" else "mean")
    assert (found.scored.scale is None) == (name == "face")


def test_a_scale_as_read_from_its_values(answered_study, out):
    (found,) = judge("effort", out, answered_study[0].labels).answers
    wanted = labels_of("effort", answered_study)
    numbers = dict(zip(EFFORT["answers"], EFFORT["scale"], strict=True))
    rows = [
        (row["value"], numbers[wanted[row["video_id"]]])
        for row in read_expected_values(out).to_pylist()
        if row["video_id"] in wanted
    ]
    value, number = np.array(rows).T
    scale = found.scored.scale
    assert scale.mean_absolute_error.value == pytest.approx(np.abs(value - number).mean())
    assert scale.rank_correlation.value == pytest.approx(stats.spearmanr(value, number).statistic)
    assert 0.1 < scale.kappa.low < scale.kappa.value < scale.kappa.high < 1
    assert found.counted_wrong.scale is None, "there is no error of an answer that is not there"


def test_clips_where_labels_have_times(answered_study, out):
    (found,) = judge("face", out, answered_study[0].labels).answers
    marked = {
        (row["video_id"], row["start_s"]): row["answer"]
        for row in answered_study[1]
        if row["question"] == "face" and row["split"] == "test" and row["start_s"] is not None
    }
    p = {}
    for row in read_answers(out).to_pylist():
        if row["question"] == "face":
            p.setdefault((row["video_id"], row["start_s"]), {})[row["answer"]] = row["p"]
    whole = labels_of("face", answered_study)
    label = {one: marked.get(one, whole.get(one[0])) for one in p}
    both = [one for one in p if label[one] is not None]
    right = [label[one] == max(p[one], key=p[one].get) for one in both]
    assert marked.keys() & p.keys() < set(both), "whole videos label their clips, too"
    figures = found.clips.figures
    assert (figures.n, figures.n_right) == (len(both), sum(right)) and figures.n > 30
    assert found.clips.scores is None
    assert found.clips.n_videos == len({video_id for video_id, _ in both})


def test_two_answers_have_all_measures_of_verdicts(answered_study, out):
    evaluation = judge("seen", out, answered_study[0].labels)
    (found,) = evaluation.outputs
    assert evaluation.answers == () and evaluation.construct == "seen"
    wanted, given = labels_of("seen", answered_study), answers_of("seen", out)
    both = sorted(wanted.keys() & given.keys())
    label = [wanted[one] == "Yes" for one in both]
    p = [given[one]["Yes"] for one in both]
    scored = found.scored
    assert scored.average_precision.value == pytest.approx(
        metrics.average_precision_score(label, p)
    )
    assert scored.auroc.value == pytest.approx(metrics.roc_auc_score(label, p))
    assert scored.macro_f1.value == pytest.approx(
        metrics.f1_score(label, np.array(p) >= 0.5, average="macro")
    )
    assert (found.threshold, found.reducer) == (0.5, "mean")
    assert found.unscored.n_videos == 3 and found.counted_wrong.n_videos == len(wanted)
    assert [each.how for each in found.thresholds] == ["fixed", "macro-f1", "base-rate"]
    assert found.baselines.fitted_on == "train" and found.slices and found.length.bands
    assert {each.scaling_by for each in found.calibration} >= {"none", "platt"}
    assert found.timeline is None and found.contrasts == ()
    assert evaluation.labels.n_ah == sum(each == "Yes" for each in wanted.values())
    assert evaluation.labels.by_answer == {"Yes": evaluation.labels.n_ah,
                                           "No": len(wanted) - evaluation.labels.n_ah}  # fmt: skip
    assert found.clips.scores.n_videos == found.clips.figures.n > 30
    assert found.clips.scores.accuracy.value == found.clips.figures.accuracy.value
    assert found.clips.scores.auroc.low < found.clips.scores.auroc.value


def test_labels_of_intervals_alone(answered_study, out, labels):
    """Of several answers there are clips; of two, a video is Yes where an interval is."""
    change_answers(labels, lambda row: row if row["start_s"] is not None else None)
    (found,) = judge("face", out, labels).answers
    assert found.scored is None and found.counted_wrong is None and found.groups == ()
    assert found.clips.figures.n > 30
    (found,) = judge("seen", out, labels).outputs
    answers = {}
    for row in answered_study[1]:
        if (row["question"], row["split"]) == ("seen", "test") and row["start_s"] is not None:
            answers.setdefault(row["video_id"], set()).add(row["answer"])
    given = answers_of("seen", out)
    label = ["Yes" in said for video_id, said in answers.items() if video_id in given]
    assert (found.scored.n_videos, found.scored.n_ah) == (len(label), sum(label))
    assert any(f"{len(answers)} videos with labels of intervals alone" in n for n in found.notes)
    assert found.clips.figures.n > 30
    change_answers(labels, lambda row: row | {"end_s": None} if row["start_s"] == 0 else None)
    (found,) = judge("face", out, labels).answers
    assert found.clips.figures.n > 30, "to the video's end"


@pytest.mark.parametrize(
    ("clip", "spans", "wanted"),
    [
        ((0, 5), [(0, 5, "a")], "a"),
        ((0, 5), [(2, 9, "a")], "a"),
        ((0, 5), [(3, 9, "a")], None),  # two seconds of five
        ((0, 5), [(4, 5, "a")], "a"),  # the clip covers it
        ((0, 5), [(0, 2, "a"), (2, 5, "b")], "b"),
        ((0, 5), [(0, 1, "a"), (4, 4.5, "b")], "a"),
        ((0, 5), [(2, float("inf"), "a")], "a"),
        ((0, 5), [(5, 10, "a")], None),
        ((0, 5), [], None),
    ],
)
def test_which_interval_labels_a_clip(clip, spans, wanted):
    intervals = [LabelledInterval(start_s=a, end_s=b, answer=c) for a, b, c in spans]
    assert find_answer(clip, intervals) == wanted


def test_the_most_frequent_answer_is_that_of_other_people(answered_study, out):
    (found,) = judge("face", out, answered_study[0].labels).answers
    counts = list(labels_of("face", answered_study, "train").values())
    majority = found.majority
    assert (majority.fitted_on, majority.n_videos) == ("train", len(counts))
    assert counts.count(majority.answer) == max(map(counts.count, ANSWERS_OF["face"]))
    given = answers_of("face", out)
    reached = [
        label == majority.answer
        for video_id, label in labels_of("face", answered_study).items()
        if video_id in given
    ]
    assert majority.accuracy.value == pytest.approx(np.mean(reached))
    gain = found.scored.accuracy.value - majority.accuracy.value
    assert majority.gain.accuracy.value == pytest.approx(gain) and majority.gain.accuracy.low > 0
    (of_all,) = judge("face", out, answered_study[0].labels, split="all").answers
    assert of_all.majority is None, "everybody is reported"
    assert any("all is reported" in note for note in of_all.notes)


def test_groups_have_ten_people_or_no_figure(answered_study, out):
    (found,) = judge("face", out, answered_study[0].labels, group_by=["split"]).answers
    for group in found.groups:
        assert (group.accuracy is None) == (group.n_participants < 10), group
    (one,) = [group for group in found.groups if group.by == "split"]
    assert one.accuracy == found.scored.accuracy and one.macro_f1 == found.scored.macro_f1
    with pytest.raises(ConfigError, match="--group-by site: neither the rows of"):
        judge("face", out, answered_study[0].labels, group_by=["site"])


def test_two_outputs_are_compared_pair_by_pair(answered_study, out, tmp_path):
    other = make_answered_scores(
        tmp_path / "b", *answered_study, model="model-b", seed=3, knows=0.2
    )
    evaluation = judge("face", [out, other], answered_study[0].labels)
    (gain,) = evaluation.answer_comparisons
    first, second = evaluation.answers
    assert (gain.first, gain.second) == (out, other)
    wanted = second.scored.accuracy.value - first.scored.accuracy.value
    assert gain.accuracy.value == pytest.approx(wanted) and gain.accuracy.high < 0
    both = judge("seen", [out, other], answered_study[0].labels)
    assert len(both.outputs) == 2 and len(both.comparisons) == 1


def test_an_ensemble_is_judged_by_the_means_of_its_answers(answered_study, out, tmp_path):
    other = make_answered_scores(tmp_path / "b", *answered_study, model="model-b", seed=3)
    reduce_outputs([out, other], str(tmp_path / "both"), reduction=Reduction())
    for name in ("face", "seen"):
        evaluation = judge(name, str(tmp_path / "both"), answered_study[0].labels)
        (found,) = (*evaluation.outputs, *evaluation.answers)
        alone = judge(name, out, answered_study[0].labels)
        (of_one,) = (*alone.outputs, *alone.answers)
        assert found.scored.accuracy.value > of_one.scored.accuracy.value, name
        assert found.reducer in ("mean", "any")


def test_the_first_question_with_several_answers(tmp_path):
    """As of docs/profiles.md: p_ah is of `high`, and all three are judged."""
    page = (Path(__file__).parents[3] / "docs/profiles.md").read_text()
    (tmp_path / "engagement.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    profile = load_profile(str(tmp_path / "engagement.yaml"))
    study, _ = make_answers(tmp_path / "labels", {"val": 6, "test": 12})
    random = np.random.default_rng(0)
    rows, videos, answers = [], {}, {}
    for video in study.videos:
        name, n_clips = video["video_id"], round(video["duration_s"] / 5)
        place = int(random.integers(0, 3))
        p = np.eye(3)[place] * 0.4 + 0.2
        videos[name] = [p[2]] * n_clips
        answers[name] = {"engagement": [p.tolist()] * n_clips}
        whole = {"video_id": name, "question": "engagement", "weight": 1.0, "start_s": None}
        whole |= {name: video[name] for name in ("participant_id", "split")}
        rows.append(whole | {"end_s": None, "answer": ("low", "medium", "high")[place]})
    table = pa.Table.from_pylist(rows, schema=read_labelled_answers(study.labels).schema)
    write_labels(
        study.labels, read_windows(study.labels), read_labelled_videos(study.labels),
        {"data_fingerprint": "0123456789abcdef"}, answers=table,
    )  # fmt: skip
    out = str(tmp_path / "scores")
    make_output(out, videos, by=scoring(profile=profile), answered=answers)
    (found,) = judge("engagement", out, study.labels).answers
    assert found.scored.accuracy.value == 1 and found.reducer == "mean"
    assert [one.answer for one in found.scored.classes] == ["low", "medium", "high"]
    assert evaluate([out], study.labels, bootstrap=FEW).construct == "engagement"
    console = Console(file=io.StringIO(), width=80)
    run_evaluation(evaluate_settings(outs=[out], labels=study.labels, draws=100), console)
    said = console.file.getvalue()
    assert "A/H" not in said and "recall of engagement (sensitivity)" in said
    assert " of them engagement." in said and "videos that are not engagement" in said
    assert any("profile engagement (engagement)" in line for line in status_lines(read_status(out)))


class TestMistakes:
    """One sentence, which says what to do."""

    def test_a_question_that_was_not_asked(self, answered_study, out):
        words = (
            r"--question mood: .* did not ask it; its profile asks ah, face, voice, seen, effort"
        )
        with pytest.raises(ConfigError, match=words):
            judge("mood", out, answered_study[0].labels)

    def test_no_label_of_the_question(self, answered_study, out):
        words = (
            r"has no label of the question voice \(it has \d+ of .*\): give them to "
            "jobs/prepare.py --table, or with --label-columns voice=COLUMN"
        )
        with pytest.raises(ConfigError, match=words):
            judge("voice", out, answered_study[0].labels)

    def test_an_answer_that_is_none(self, out, labels):
        change_answers(labels, lambda row: row | {"answer": "angry"})
        words = (
            r"is labelled 'angry', which is no answer to face \(positive, neutral, negative\): "
            "correct the label"
        )
        with pytest.raises(ConfigError, match=words):
            judge("face", out, labels)

    def test_two_answers_about_one_video(self, out, labels):
        table = read_labelled_answers(labels).to_pylist()
        first = next(row for row in table if row["question"] == "face" and row["start_s"] is None)
        other = next(tone for tone in ANSWERS_OF["face"] if tone != first["answer"])
        rows = pa.Table.from_pylist([*table, first | {"answer": other}],
                                    schema=read_labelled_answers(labels).schema)  # fmt: skip
        write_labels(labels, read_windows(labels), read_labelled_videos(labels),
                     read_about(labels), answers=rows)  # fmt: skip
        with pytest.raises(ConfigError, match=r"has two answers to face .*: leave one of them"):
            judge("face", out, labels)

    def test_a_split_without_labels(self, out, labels):
        change_answers(labels, lambda row: row if row["split"] == "val" else None)
        with pytest.raises(ConfigError, match="no labelled video is in the split test"):
            judge("face", out, labels)

    def test_outputs_that_asked_it_differently(self, answered_study, out, tmp_path):
        other = why_profile({"effort": EFFORT | {"scale": (1, 2, 3)}})
        make_answered_scores(tmp_path / "b", *answered_study, model="model-b", profile=other)
        words = "asked it with other answers or another scale"
        with pytest.raises(ConfigError, match=words):
            find_question("effort", [out, str(tmp_path / "b")])

    @pytest.mark.parametrize(
        "more",
        [{"write_calibration": "c.json"}, {"protocol": "bah"}, {"gate": "old"}],
        ids=lambda one: next(iter(one)),
    )
    def test_what_is_about_verdicts_alone(self, more):
        with pytest.raises(ConfigError, match="leave --question out"):
            evaluate_settings(outs=["out"], labels="labels", question="face", **more)


def test_the_first_question_by_its_name_is_that_of_the_verdicts(out):
    assert find_question("ah", [out]) is None


class TestTrust:
    def test_people_whom_the_model_knows(self, answered_study, out):
        test = {video["participant_id"] for video in answered_study[0].of("test")}
        known = learned_from(
            Use.TRAINING,
            data_fingerprint="x",
            participants=map(normal_form, sorted(test)[:2]),
            contents=(),
            by="lora",
        )
        for name in ("face", "seen"):
            with pytest.raises(
                ConfigError, match="cannot be judged on test: lora was trained on 2"
            ):
                judge(name, out, answered_study[0].labels, trained_on=[known])
            evaluation = judge(name, out, answered_study[0].labels, split="all", trained_on=[known])
            (found,) = (*evaluation.outputs, *evaluation.answers)
            assert found.leaks and any("OF KNOWN PEOPLE" in note for note in found.notes)

    def test_a_calibration_of_verdicts_has_no_part_in_other_answers(
        self, answered_study, out, tmp_path
    ):
        """It was fitted to people of val, who may be reported for another question."""
        calibration = fit_calibration(out, answered_study[0].labels, reducer="mean")
        write_calibration(str(tmp_path / "c.json"), calibration)
        to = str(tmp_path / "calibrated")
        reduce_outputs([out], to, reduction=Reduction(), calibrations=[str(tmp_path / "c.json")])
        for name in ("face", "seen"):
            before, after = (
                judge(name, one, answered_study[0].labels, split="val") for one in (out, to)
            )
            (one,), (other,) = ((*each.outputs, *each.answers) for each in (before, after))
            assert one.scored == other.scored and other.leaks == ()
        assert evaluate([to], answered_study[0].labels, split="val", bootstrap=FEW).outputs[0].leaks

    def test_moments_that_scores_chose_have_no_intervals(self, out, labels):
        videos = read_labelled_videos(labels)
        place = videos.schema.get_field_index("selection")
        chosen = videos.set_column(place, videos.schema.field(place), [[MOMENTS] * len(videos)])
        change_answers(labels, lambda row: row, videos=chosen)
        for name in ("face", "seen"):
            evaluation = judge(name, out, labels)
            (found,) = (*evaluation.outputs, *evaluation.answers)
            assert found.scored.accuracy.low is None and found.scored.accuracy.value is not None
            assert found.clips.figures.accuracy.low is None
            assert any("OF SELECTED MOMENTS" in note for note in found.notes)

    def test_drawn_videos_have_no_figures_of_several_answers(self, out, labels):
        videos = read_labelled_videos(labels)
        for name, value in (("selection", "drawn:d:all"), ("weight", 2.0)):
            place = videos.schema.get_field_index(name)
            column = pa.array([value] * len(videos), videos.schema.field(place).type)
            videos = videos.set_column(place, videos.schema.field(place), column)
        change_answers(labels, lambda row: row, videos=videos)
        with pytest.raises(ConfigError, match="these videos were drawn, and several answers have"):
            judge("face", out, labels)
        (found,) = judge("seen", out, labels).outputs
        assert found.scored.accuracy.low is not None and found.clips is None


class TestPlans:
    PLAN = "split: test\nquestion: {}\nmeasures: [macro_f1]\nhypotheses:\n" + (
        "  - {{text: better than chance, measure: {}, above: 0.5}}\n"
    )

    @pytest.fixture
    def look(self, answered_study, out, tmp_path):
        """Evaluates a copy of the scores; gives what the terminal shows, and the analysis."""
        scores = str(shutil.copytree(out, tmp_path / "scores"))

        def run(about: str | None = None, measure: str = "auroc", **settings):
            if about is not None:
                plan = self.PLAN.format(about, measure)
                (tmp_path / "plan.yaml").write_text(plan)
                settings["plan"] = str(tmp_path / "plan.yaml")
            console = Console(file=io.StringIO(), width=200)
            settings |= {"outs": [scores], "labels": answered_study[0].labels, "draws": 100}
            run_evaluation(evaluate_settings(**settings), console)
            folder = sorted(Path(scores).glob("evaluation*"), key=lambda one: one.stat().st_mtime)
            written = json.loads((folder[-1] / "metrics.json").read_text())
            return console.file.getvalue(), written["analysis"]

        return run

    def test_a_plan_is_about_its_question(self, look):
        said, analysis = look("seen", question="seen")
        assert (analysis["kind"], analysis["look"]) == ("locked", 1)
        assert analysis["planned"][0]["hypotheses"][0]["is_supported"] is True
        assert "This is look 1 at test, at the answers to seen." in said
        said, analysis = look("seen")
        assert (analysis["kind"], analysis["look"]) == ("locked", 2), "the plan names the question"
        assert "/evaluation-seen: metrics.json" in said
        _, analysis = look("null")
        assert (analysis["kind"], analysis["look"]) == ("locked", 1), (
            "verdicts are another question"
        )
        _, analysis = look(question="face")
        assert (analysis["kind"], analysis["look"]) == ("unplanned", 1)

    @pytest.mark.parametrize("flag", ["protocol", "write_calibration"])
    def test_its_question_excludes_what_is_about_verdicts(self, look, tmp_path, flag):
        value = "bah" if flag == "protocol" else str(tmp_path / "calibration.json")
        words = f"--{flag.replace('_', '-')} is about verdicts, and --plan about the question seen"
        with pytest.raises(ConfigError, match=words):
            look("seen", **{flag: value})
        assert not list((tmp_path / "scores").rglob("look-*.json")), "no look is counted"

    def test_it_covers_no_other(self, look, tmp_path):
        words = "--plan is about the question seen, and covers no other question: give --question s"
        with pytest.raises(ConfigError, match=words):
            look("seen", question="face")
        with pytest.raises(ConfigError, match=r"--plan is about verdicts.*leave --question out"):
            look("null", question="seen")
        words = "auroc is no measure of the question face; there are accuracy, macro_f1$"
        with pytest.raises(ConfigError, match=words):
            look("face", question="face")
        with pytest.raises(ConfigError, match="has several answers, so leave out groups, reducer"):
            look("face\ngroups: [age]\nreducer: any", measure="accuracy")
        with pytest.raises(
            ConfigError, match="kappa is no measure of verdicts; there are accuracy"
        ):
            look("null", measure="kappa")
        assert not (tmp_path / "scores/analysis").exists(), "nothing was looked at"

    def test_a_plan_of_several_answers(self, look):
        said, analysis = look("effort", measure="kappa")
        assert (analysis["kind"], analysis["look"]) == ("locked", 1)
        (planned,) = analysis["planned"]
        assert planned["threshold"] is None and planned["reducer"] == "mean"
        (hypothesis,) = planned["hypotheses"]
        found = planned["measures"]["scale"]["kappa"]
        assert (hypothesis["value"], hypothesis["low"]) == (found["value"], found["low"])
        assert hypothesis["is_supported"] == (found["low"] > 0.5)
        assert "as planned: mean, the likeliest answer" in said
        assert "better than chance (kappa, quadratic weights against 0.5: " in said

    def test_looks_at_one_question_leave_the_plan_of_another(self, look):
        look(question="seen")
        _, analysis = look("null")
        assert analysis["kind"] == "locked"
        _, analysis = look("seen")
        assert analysis["kind"] == "exploratory" and analysis["looks_before_plan"] == 1


def test_files_hold_every_figure(answered_study, out):
    for name in ("face", "effort", "seen"):
        evaluation = judge(name, out, answered_study[0].labels)
        written = json.loads(as_json(evaluation))
        assert written["question"]["name"] == name
        table = as_table(evaluation)
        assert table.schema == METRICS
        rows = table.to_pylist()
        assert {row["question"] for row in rows} == {name}
        if name == "seen":
            assert any(row["part"] == "clips" and row["measure"] == "auroc" for row in rows)
            continue
        (found,) = written["answers"]
        of_class = [row for row in rows if (row["part"], row["measure"]) == ("scored", "recall")]
        assert [row["name"] for row in of_class] == list(ANSWERS_OF[name])
        assert of_class[0]["value"] == found["scored"]["classes"][0]["recall"]["value"]
        parts = {(row["part"], row["measure"]) for row in rows}
        assert {("majority", "accuracy"), ("gain", "macro_f1"), ("clips", "macro_f1")} <= parts
        assert (("scored", "kappa") in parts) == (name == "effort")


def test_profiles_of_tests_ask_what_is_labelled():
    asked = {question.name: question for question in answers_profile().complete_questions}
    for name, answers in ANSWERS_OF.items():
        assert asked[name].answers == tuple(answers)
