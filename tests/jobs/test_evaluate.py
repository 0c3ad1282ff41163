"""`python jobs/evaluate.py` as a user runs it, and what its calibration file does elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import said_by
from invented_rows import TONES, make_output, scoring, why_profile
from study.invented_answers import make_answered_scores, make_answers
from study.invented_study import make_scores, make_study
from videos import make_plain

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.output.read import read_verdicts
from ah_ray.results.calibration import write_calibration
from ah_ray.results.reduce import reduce_outputs
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.labelled_manifest import (
    read_about,
    read_labelled_videos,
    read_windows,
    write_labels,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("labels"), {"val": 15, "test": 20})


@pytest.fixture(scope="module")
def scores(study, tmp_path_factory):
    """Of three models."""
    folder = tmp_path_factory.mktemp("scores")
    return [
        make_scores(folder / f"{n}", study, model=f"model-{n}", seed=n, sureness=4)
        for n in range(3)
    ]


def evaluate(*arguments, **how):
    return said_by("evaluate", *arguments, "--draws", "200", **how)


def test_what_is_printed_and_written(study, scores):
    said = evaluate(scores[0], "--labels", study.labels)
    assert said.startswith(f"test: {len(study.of('test'))} labelled videos of 20 participants")
    for words in (
        "3 have no verdict, ",
        "1 no row, 1 timeout, 1 unreadable",
        "unscored counted wrong",
        "area over 1,000 thresholds",
        "noisyor",
        "base-rate",
        "platt",
        "under 10: too few",
        "(0 is no bias)",
        "overlap (IoU)",
    ):
        assert words in said, words
    assert "…" not in said  # nothing is cut off on a terminal of 80 columns
    folder = Path(scores[0]) / "evaluation"
    assert f"Written to {folder}: metrics.json, metrics.parquet." in said
    written = json.loads((folder / "metrics.json").read_text())
    assert written["outputs"][0]["unscored"]["n_videos"] == 3
    assert (folder / "metrics.parquet").exists()
    assert read_verdicts(scores[0]).num_rows  # the output is as it was


def test_a_terminal_obeys_no_name_and_cuts_no_figure(tmp_path):
    """Of groups, and of the output itself; on a narrow screen."""
    study = make_study(tmp_path / "labels", {"val": 2, "test": 11})
    names = ["[/b]", "[red]woman[/red]", "\x1b[31mman\n"]
    table = read_labelled_videos(study.labels)
    genders = [names[place % 3] for place in range(len(table))]
    place = table.schema.get_field_index("gender")
    table = table.set_column(place, table.schema.field(place), [genders])
    write_labels(study.labels, read_windows(study.labels), table, read_about(study.labels))
    scores = make_scores(tmp_path / "we\x1b[31mird [b]<i>\n", study)
    said = evaluate(scores, "--labels", study.labels, environment=os.environ | {"COLUMNS": "50"})
    assert "\x1b" not in said
    assert f"{tmp_path}/we\\x1b[31mird [b]<i>\\n\n" in said
    for name in ("[/b]", "[red]woman[/red]", "\\x1b[31mman"):
        assert any(line.startswith(f"gender     {name}") for line in said.splitlines()), name
    assert "…" not in said and "average precision" in said
    assert "\nNote: val has 2 participants: " in said
    (row,) = [line for line in said.splitlines() if line.startswith("mean ")]
    assert len(row) > 50 and len(re.findall(r"-?\d\.\d+", row)) == 8, row


def test_several_on_s3(study, scores, bucket):
    to = f"s3://{bucket}/metrics"
    said = evaluate(*scores[:2], "--labels", study.labels, "--to", to, "--split", "all")
    assert f"{scores[1]} less {scores[0]}" in said and "McNemar's exact p" in said
    assert "nothing is fitted, because val itself is reported" in said
    assert storage.exists(f"{to}/metrics.json") and storage.exists(f"{to}/metrics.parquet")


def test_three_calibrated_models_voting(study, scores, tmp_path):
    """Fitted one by one, combined by reduce.py: as counted by hand from the three."""
    files = [tmp_path / f"{n}.json" for n in range(3)]
    for out, file, reducer in zip(scores, files, ("any", "mean", "noisyor"), strict=True):
        write_calibration(str(file), fit_calibration(out, study.labels, reducer=reducer))
    each = []
    for n, (out, file) in enumerate(zip(scores, files, strict=True)):
        by = str(tmp_path / f"by-{n}")
        reduce_outputs([out], by, reduction=Reduction(), calibrations=[str(file)])
        rows = read_verdicts(str(tmp_path / f"by-{n}")).to_pylist()
        each.append({row["video_id"]: row for row in rows})
    calibrations = [option for file in files for option in ("--calibration", file)]
    said = said_by("reduce", *scores, "--out", tmp_path / "vote", *calibrations)
    assert "vote(any>=0." in said and ", calibration " in said
    said_by(
        "reduce", *scores, "--out", tmp_path / "mean", *calibrations,
        "--ensemble", "mean", "--threshold", "0.4",
    )  # fmt: skip
    for video_id, row in rows_of(tmp_path / "vote").items():
        said = [one[video_id]["answer"] for one in each]
        yes, n = said.count("Yes"), 3 - said.count(None)
        assert row["p_ah"] == (yes / n if n else None)
        assert row["answer"] == (("Yes" if yes > n / 2 else "No") if n else None)
    for video_id, row in rows_of(tmp_path / "mean").items():
        p = [one[video_id]["p_ah"] for one in each if one[video_id]["p_ah"] is not None]
        assert row["p_ah"] == (pytest.approx(sum(p) / len(p)) if p else None)
        assert not p or row["answer"] == ("Yes" if row["p_ah"] >= 0.4 else "No")


def rows_of(out):
    return {row["video_id"]: row for row in read_verdicts(str(out)).to_pylist()}


def test_fitted_to_what_is_reported_is_said(study, scores, tmp_path):
    how = ("--labels", study.labels, "--to", tmp_path, "--write-calibration", tmp_path / "c.json")
    told = "Note: it is fitted to videos of val, which are reported here"
    assert told in evaluate(scores[0], *how, "--split", "val")
    assert told not in evaluate(scores[0], *how)


def test_a_file_for_another_model(study, scores, tmp_path):
    file = tmp_path / "c.json"
    how = ("--write-calibration", file, "--reducer", "mean", "--threshold", "0.4")
    told = evaluate(scores[0], "--labels", study.labels, *how)
    assert f"in {file}: mean, platt: slope " in told
    assert ", threshold 0.4 (fixed), fitted to " in told
    said = said_by("reduce", scores[1], "--out", tmp_path / "x", "--calibration", file, status=2)
    assert "fitted to other scores than those of model model-1" in said
    both = (scores[0], "--out", tmp_path / "x", "--calibration", file, "--threshold", "0.5")
    assert "leave out --threshold" in said_by("reduce", *both, status=2)
    assert not (tmp_path / "x").exists()
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    (cohort / "a.mp4").write_bytes(b"")
    said = said_by(
        "score", "--videos", cohort, "--out", tmp_path / "y", "--model", "tiny",
        "--calibration", file, status=2,
    )  # fmt: skip
    assert "fitted to other scores than those of model tiny" in said


def test_mistakes_are_one_line(study, scores, tmp_path):
    assert "--labels is missing" in evaluate(scores[0], status=2)
    labels, to = ("--labels", study.labels), ("--to", tmp_path / "t")
    assert "is no output of ah_ray" in evaluate(tmp_path, *labels, *to, status=2)
    said = evaluate(scores[0], "--labels", scores[0], *to, status=2)
    assert "it is no output of jobs/prepare.py" in said
    write = ("--write-calibration", tmp_path / "c.json", "--reducer", "median")
    assert "--reducer median" in evaluate(scores[0], *labels, *to, *write, status=2)
    assert not (tmp_path / "c.json").exists()
    (tmp_path / "file").write_text("in the way")
    inside = tmp_path / "file" / "inside"
    said = evaluate(scores[0], *labels, *to, "--write-calibration", inside, status=2)
    assert f"--write-calibration {inside} cannot be written" in said and "another file" in said
    assert not list((tmp_path / "t").glob("*"))
    said = evaluate(scores[0], *labels, "--to", inside, status=2)
    assert "cannot be written to" in said and "with --to" in said
    assert "is no output of ah_ray" in evaluate(tmp_path / "no", *labels, status=2)
    assert not (tmp_path / "no").exists()


def test_a_calibration_replaces_a_calibration_and_nothing_else(study, scores, tmp_path):
    flags = (scores[0], "--labels", study.labels, "--to", tmp_path / "t", "--write-calibration")
    file = tmp_path / "c.json"
    evaluate(*flags, file)
    file.write_text(file.read_text().replace("macro-f1", "fixed"))  # edited, and still one
    evaluate(*flags, file)
    assert "macro-f1" in file.read_text()
    precious = tmp_path / "precious.txt"
    precious.write_text("of somebody")
    for place in (precious, tmp_path / "t" / "metrics.json", f"{scores[0]}/config.json"):
        before = Path(place).read_bytes()
        said = evaluate(*flags, place, status=2)
        assert said.startswith(f"error: --write-calibration {place}: ")
        assert Path(place).read_bytes() == before


def test_starts_quickly():
    modules = (
        "import sys, time, jobs.evaluate, ah_ray.study.evaluation.run; "
        "print(time.process_time(), *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    cpu_s, *loaded = done.stdout.split()
    assert not {"ray", "torch", "transformers", "ffmpeg", "sklearn", "scipy"} & set(loaded)
    assert float(cpu_s) < 2


def test_groups_protocol_and_what_is_too_few(study, scores, tmp_path):
    said = evaluate(scores[0], "--labels", study.labels, "--to", tmp_path / "t")
    for words in (
        "Baselines without picture or sound, fitted on val",
        "Gain of the model over the best baseline",
        "a ? marks what is too few to tell",
        "sensitivity", "specificity", "PPV", "NPV", "rate of Yes", "in the large", "AUROC",
        "no measures of fairness", "if perfect", " of 20 people",
    ):  # fmt: skip
        assert words in said, words
    said = evaluate(
        *scores, "--labels", study.labels, "--to", tmp_path / "t", "--protocol", "bah",
        "--private-labels", study.labels,
    )  # fmt: skip
    assert "public test" in said and "private test" in said and said.count(" ± ") > 12
    assert (tmp_path / "t/protocol.json").exists()
    said = evaluate(scores[0], "--labels", study.labels, "--group-by", "site", status=2)
    assert "--group-by site: neither the rows of" in said


def test_a_group_by_column_of_the_labels(study, scores, tmp_path):
    to = ("--labels", study.labels, "--to", tmp_path / "t", "--group-by")
    said = evaluate(scores[0], *to, "split")
    assert re.search(r"split +test +20 ", said)
    said = evaluate(scores[0], *to, "participant_id", status=2)
    assert "--group-by: participant_id would write names of people" in said


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Labels of further questions, and scores that know something of the answers."""
    study, rows = make_answers(tmp_path_factory.mktemp("answers"), {"val": 8, "test": 16})
    return study.labels, make_answered_scores(tmp_path_factory.mktemp("why"), study, rows)


def test_a_question_of_several_answers(answered, tmp_path):
    labels, scores = answered
    narrow = os.environ | {"COLUMNS": "80"}
    said = evaluate(scores, "--labels", labels, "--question", "effort", environment=narrow)
    for words in (
        "question effort (easy, fair, hard), mean of the clips",
        "3 have no answer: 1 no row, 1 timeout, 1 unreadable.",
        "mean absolute error",
        "rank correlation (Spearman)",
        "kappa, quadratic weights",
        "With unanswered videos counted as wrong: accuracy ",
        "Confusion: labels in rows, answers in columns",
        "the most frequent label of val",
        " labelled clips in ",
        "This is look 1 at test, at the answers to effort",
    ):
        assert words in said, words
    tables = [line for line in said.splitlines() if re.search(r"\d  ", line)]
    assert tables and all(len(line.rstrip()) <= 80 for line in tables)
    folder = Path(scores) / "evaluation-effort"
    assert f"Written to {folder}: metrics.json, metrics.parquet." in said
    assert not (Path(scores) / "evaluation").exists(), "figures of verdicts are not replaced"
    assert json.loads((folder / "metrics.json").read_text())["question"]["name"] == "effort"
    words = evaluate(scores, "--labels", labels, "--question", "mood", status=2)
    assert "--question mood: " in words and "did not ask it; its profile asks ah, face" in words


def test_a_question_of_two_answers(answered, tmp_path):
    labels, scores = answered
    to = ("--to", tmp_path / "t")
    said = evaluate(scores, "--labels", labels, *to, "--question", "seen")
    for words in (
        "question seen, mean, threshold 0.5",
        "recall of seen (sensitivity)",
        "Answers as they stand",
        "Gain of the model over the best baseline",
        "of clips, at 0.5",
    ):
        assert words in said, words
    assert "A/H" not in said and "Verdicts" not in said and "Contrasts" not in said


def test_contrasts_beside_the_score(answered, tmp_path):
    labels, scores = answered
    said = evaluate(scores, "--labels", labels, "--to", tmp_path / "t")
    assert "Contrasts as scores of videos, reduced by any" in said
    assert "Contrasts as scores of clips, clip by clip" in said
    assert "in a logistic model of both, fitted on val." in said
    assert said.count("face-voice") == 2 and "less p_ah" in said


def test_from_a_table_of_labels_to_figures(tmp_path):
    """Columns of answers in a CSV file, prepared, are what the answers of an output meet."""
    recording = make_plain(tmp_path / "one.mp4", "testsrc", seconds=10)
    lines, wanted = ["uri,start_s,end_s,label,face,look,participant"], {}
    for number in range(12):
        name = f"{number}.mp4"
        free = b"\0\0\0\x08free" * number  # boxes that hold nothing, so that no two are the same
        (tmp_path / name).write_bytes(recording.read_bytes() + free)
        wanted[name] = TONES[number % 3], ("No", "Yes")[number % 2]
        tone, look = wanted[name]
        lines.append(f"{name},0,5,{number % 2},{tone},{look},P{number // 2}")
        lines.append(f"{name},5,10,{number % 2},{tone},No,P{number // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    labels = tmp_path / "labels"
    said_by(
        "prepare", "--table", tmp_path / "labels.csv", "--out", labels, "--plain-participants",
        "--label-columns", "face", "--label-columns", "seen=look", "--split", "1,0,0",
    )  # fmt: skip
    p_ah, answers = {}, {}
    for video in read_labelled_videos(str(labels)).to_pylist():
        tone, look = wanted[Path(video["uri"]).name]
        p_ah[video["video_id"]] = [0.9 if look == "Yes" else 0.2, 0.1]
        of_face = [0.8 if one == tone else 0.1 for one in TONES]
        first, second = ([0.95, 0.05] if look == "Yes" else [0.2, 0.8]), [0.1, 0.9]
        answers[video["video_id"]] = {"face": [of_face, of_face], "seen": [first, second]}
    out = str(tmp_path / "scores")
    make_output(out, p_ah, by=scoring(profile=why_profile()), answered=answers)
    how = ("--labels", labels, "--split", "train")
    said = evaluate(out, *how, "--question", "face")
    assert "No label is about a whole video: only clips are measured." in said
    assert re.search(r"accuracy +1\.000 .* 24 of 24, of 6 people", said)
    said = evaluate(out, *how, "--question", "seen")
    assert "12 videos with labels of intervals alone: seen if an interval is" in said
    assert "Of 6 seen videos 6 are a Yes and 0 a No; of 6 others 0 are a Yes" in said
    assert re.search(r"AUROC +1\.000", said)
