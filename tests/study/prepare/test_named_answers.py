"""Labels of a profile's questions: tables in long and in wide form, and the cues of BAH."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import run_here

from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import FaultyInput, Place
from ah_ray.study.labelled_manifest import (
    ANSWERS,
    CUES,
    fingerprint,
    read_about,
    read_labelled_answers,
    read_windows,
)
from ah_ray.study.labelled_video import (
    Annotated,
    LabelledVideo,
    Marked,
    MarkedAnswer,
    MarkedInterval,
)
from ah_ray.study.prepare.bah.cue_answers import add_cue_answers
from ah_ray.study.prepare.cutting import windows_of
from ah_ray.study.prepare.settings import prepare_settings

HERE = Place(file="labels.csv", line=2)
LONG = "uri,start_s,end_s,label,question,answer,weight,participant"
WIDE = "uri,start_s,end_s,label,face,Tone,participant"


def list_answers(found) -> list[tuple]:
    names = {row["video_id"]: row["uri"].rpartition("/")[2][0] for row in found.videos.to_pylist()}
    rows = found.answers.to_pylist()
    assert [row["video_id"] for row in rows] == sorted(row["video_id"] for row in rows)
    return sorted(
        (names[row["video_id"]], row["start_s"] or 0, row["end_s"], row["question"], row["answer"],
         row["weight"])
        for row in rows
    )  # fmt: skip


def list_windows(found, video: str) -> list[tuple]:
    rows = [row for row in found.windows.to_pylist() if row["uri"].endswith(f"/{video}.mp4")]
    assert [row["window_index"] for row in rows] == list(range(len(rows)))
    return [(row["start_s"], row["end_s"], row["label"]) for row in rows]


def test_long_form(table, prepared, tmp_path):
    labels = table(
        "a.mp4,0,5,1,,,,ann", "a.mp4,0,5,,face,negative,0.5,ann", "a.mp4,5,9.5,,face,neutral,,ann",
        "b.mp4,,,,speech,Yes,,bob", "c.mp4,,,0,,,,bob", header=LONG,
    )  # fmt: skip
    found = prepared(table=labels, split="1,0,0")
    assert list_answers(found) == [
        ("a", 0.0, 5.0, "face", "negative", 0.5), ("a", 5.0, 9.5, "face", "neutral", 1.0),
        ("b", 0, None, "speech", "Yes", 1.0),
    ]  # fmt: skip
    assert list_windows(found, "a") == [(0, 5, 1), (5, 9.5, None)]  # each interval is covered
    assert list_windows(found, "b") == [(0, 5, None), (5, 10, None)]
    videos = {row["uri"][-5]: row["label"] for row in found.videos.to_pylist()}
    assert videos == {"a": 1, "b": None, "c": 0}
    assert read_labelled_answers(found.out) == found.answers
    about = read_about(found.out)
    assert about["questions"] == {
        "face": {"train": {"negative": 1, "neutral": 1}},
        "speech": {"train": {"Yes": 1}},
    }
    assert about["data_fingerprint"] == fingerprint(found.windows, found.videos, found.answers)


def test_wide_form(table, prepared):
    labels = table(
        "a.mp4,0,5,1,negative,,ann", "a.mp4,5,10,,positive,calm and low,ann", "b.mp4,,,0,,calm,bob",
        header=WIDE,
    )  # fmt: skip
    found = prepared(table=labels, split="1,0,0", label_columns="face,voice=Tone")
    assert list_answers(found) == [
        ("a", 0.0, 5.0, "face", "negative", 1.0), ("a", 5.0, 10.0, "face", "positive", 1.0),
        ("a", 5.0, 10.0, "voice", "calm and low", 1.0), ("b", 0, None, "voice", "calm", 1.0),
    ]  # fmt: skip
    assert list_windows(found, "a") == [(0, 5, 1), (5, 10, None)]
    assert list_windows(found, "b") == [(0, 5, 0), (5, 10, 0)]
    with pytest.raises(FaultyInput) as without:  # the columns are not read without the flag
        prepared(table=labels, split="1,0,0")
    assert "the label is missing" in str(without.value.faults[0])


def test_answers_without_a_column_of_labels(table, prepared):
    labels = table("a.mp4,face,negative,ann", header="uri,question,answer,participant")
    assert len(prepared(table=labels, split="1,0,0").answers) == 1
    labels = table("a.mp4,negative,ann", header="uri,face,participant")
    assert len(prepared(table=labels, split="1,0,0", label_columns="face").answers) == 1
    with pytest.raises(ConfigError, match=r"has no column face"):
        prepared(table=table("a.mp4,1,ann", header="uri,label,participant"), label_columns="face")


@pytest.mark.parametrize(
    ("header", "line", "told"),
    [
        (LONG, "a.mp4,0,5,,,negative,,ann", "the question is missing; write the name"),
        (LONG, "a.mp4,0,5,,is it so?,negative,,ann", "'is it so?' is no question's name"),
        (LONG, "a.mp4,0,5,1,face,negative,,ann", "a label and an answer stand in one row"),
        (LONG, "a.mp4,0,5,,face,negative,much,ann", "'much' is no weight"),
        (LONG, "a.mp4,0,5,,face,negative,-1,ann", "'-1' is no weight"),
        (LONG, "a.mp4,0,5,,face,<b>,,ann", "'<b>' cannot be an answer to face"),
        (LONG, "a.mp4,0,5,,face,,,ann", "the label is missing; write 0 or 1"),
        (LONG, "a.mp4,5,0,,face,neutral,,ann", "the interval 5 – 0 is reversed"),
        (LONG, "a.mp4,40,45,,face,neutral,,ann", "the interval 40 – 45 s is outside the video"),
    ],
)
def test_faults_name_file_and_row(table, faults_of, header, line, told):
    (fault,) = faults_of(table=table(line, header=header), split="1,0,0")
    assert fault.startswith(f"labels.csv:2: {told}"), fault


def test_a_moment_has_one_answer_to_a_question(table, faults_of):
    labels = table(
        "a.mp4,0,5,,face,negative,,ann", "a.mp4,4,6,,face,negative,,ann",
        "a.mp4,4,6,,voice,negative,,ann", header=LONG,
    )  # fmt: skip
    (fault,) = faults_of(table=labels, split="1,0,0")
    assert fault.startswith("labels.csv:3: it overlaps line 2")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"label_columns": "face"}, "--label-columns goes with --table"),
        ({"table": "t.csv", "bah": None, "label_columns": "face,face"}, "names a question twice"),
        ({"table": "t.csv", "bah": None, "label_columns": "1st"}, "begins with a letter"),
        ({"table": "t.csv", "bah": None, "label_columns": "face="}, "begins with a letter"),
        ({"table": "t.csv", "bah": None, "label_columns": "label"}, "has a meaning of its own"),
        ({"table": "t.csv", "bah": None, "cues": True}, "--cues goes with --bah"),
    ],
)
def test_flags(flags, told):
    with pytest.raises(ConfigError, match=told):
        prepare_settings(**{"bah": "bah", "out": "o", "plain_participants": True, **flags})


def answer(start_s, end_s, question="face") -> MarkedAnswer:
    return MarkedAnswer(
        start_s=start_s, end_s=end_s, question=question, answer="neutral", place=HERE
    )


def make_video(*, label=1, **fields) -> LabelledVideo:
    return LabelledVideo(
        uri="/v.mp4", video_id="v", label=label, participant="p", split="train", place=HERE,
        **{"marked": (), **fields},
    )  # fmt: skip


def rules(**settings):
    return prepare_settings(bah="bah", out="out", plain_participants=True, **settings)


def test_an_answer_for_the_whole_video_shares_the_windows_of_other_questions():
    marked = (Marked(start_s=6.0, end_s=13.0, label=1, place=HERE),)
    video = make_video(marked=marked, answers=(answer(0.0, None), answer(14.0, 18.0, "voice")))
    left_out = Counter()
    found = windows_of(video, 30.0, rules(), left_out)
    assert [(one.start_s, one.end_s, one.label) for one in found] == [
        (0, 5, None), (6, 11, 1), (11, 14, None), (14, 18, None), (18, 23, None), (23, 28, None),
    ]  # fmt: skip
    # 11 – 13 is a tail of A/H alone; 5 – 6 and 28 – 30 are tails of the face.
    assert left_out["seconds of tails and gaps"] == pytest.approx(2 + 1 + 2)


SPANS = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0.3, 30), st.sampled_from(["face", "voice", "words"])),
    max_size=6,
)


@given(spans=SPANS, marks=st.lists(st.tuples(st.floats(0, 50), st.floats(0.3, 20)), max_size=3),
       tail=st.sampled_from(["drop", "keep", "shift"]))  # fmt: skip
def test_every_labelled_interval_is_covered(spans, marks, tail):
    """Up to a tail: and no window of it leaves it, nor does a moment of it lie in two of them."""
    answers = tuple(answer(start, start + length, name) for start, length, name in spans)
    marked = tuple(
        Marked(start_s=start, end_s=start + length, label=1, place=HERE) for start, length in marks
    )
    found = windows_of(
        make_video(marked=marked, answers=answers), 100.0, rules(tail=tail), Counter()
    )
    plain = windows_of(make_video(marked=marked), 100.0, rules(tail=tail), Counter())
    added = [one for one in found if one.label is None]
    assert [one for one in found if one.label is not None] == plain
    assert all(0 < one.end_s - one.start_s <= 5 + 1e-6 for one in added)
    for one in answers:
        inside = sorted(
            (window.start_s, window.end_s)
            for window in found
            if one.start_s - 1e-3 <= window.start_s and window.end_s <= one.end_s + 1e-3
        )
        assert inside, "an interval of any length is cut"
        ends = [one.start_s, *(end for _, end in inside)]
        starts = [*(start for start, _ in inside), one.end_s]
        holes = [start - max(ends[: n + 1]) for n, start in enumerate(starts)]
        assert max(holes) < 3 + 1e-3
        if tail == "keep":
            assert max(holes) < 0.26


def mark(start_s, end_s, *cues) -> MarkedInterval:
    return MarkedInterval(start_s=start_s, end_s=end_s, cues=tuple((cue, None) for cue in cues))


def read_cues(video, **settings) -> dict[tuple, set[str]]:
    """The cues that are Yes in each interval; every interval answers all five."""
    rows = add_cue_answers(video, 30.0, rules(cues=True, **settings)).answers
    found: dict[tuple, dict[str, str]] = {}
    for row in rows:
        found.setdefault((row.start_s, row.end_s), {})[row.question] = row.answer
    assert all(list(each) == [f"cue-{cue}" for cue in CUES] for each in found.values())
    assert {answer for each in found.values() for answer in each.values()} <= {"Yes", "No"}
    return {span: {n for n, yes in each.items() if yes == "Yes"} for span, each in found.items()}


def test_cues_are_yes_within_marks_and_no_outside():
    spans = [(2.0, 6.0), (10.0, 14.0), (20.0, 22.0)]
    marked = tuple(Marked(start_s=a, end_s=b, label=1, place=HERE) for a, b in spans)
    annotations = (
        Annotated(annotator="x", label=1, intervals=(mark(2.0, 6.0, "face"), mark(10.0, 12.0))),
        Annotated(annotator="y", label=1, intervals=(mark(5.0, 5.5, "words", "voice"),
                                                     mark(13.0, 14.0, "body"))),
        Annotated(annotator="z", label=0),
    )  # fmt: skip
    video = make_video(marked=marked, annotations=annotations)
    named = {
        (2.0, 6.0): {"cue-face", "cue-voice", "cue-words"},
        (10.0, 14.0): {"cue-body"},  # nobody named a cue of 20 – 22
    }
    assert read_cues(video) == named
    spans = [(0.0, 1.5), (6.5, 9.5), (14.5, 19.5), (22.5, 30.0)]
    outside = {span: set() for span in spans}
    assert read_cues(video, negatives="unmarked", margin_s=0.5) == named | outside
    assert read_cues(make_video(label=0)) == {(0.0, None): set()}
    assert read_cues(make_video(label=1)) == {}


def test_the_cues_of_bah_become_labels(bah, prepared):
    plain = prepared(bah=bah)
    found = prepared(bah=bah, cues=True)
    assert found.windows == plain.windows and found.videos == plain.videos
    assert found.about["data_fingerprint"] != plain.about["data_fingerprint"]
    counts = Counter((row["question"], row["answer"]) for row in found.answers.to_pylist())
    assert counts["cue-words", "Yes"] > 0 and counts["cue-voice", "Yes"] == 0
    assert {name for name, _ in counts} == {f"cue-{cue}" for cue in CUES}


def test_an_export_for_swift_says_what_it_leaves_out(table, folder):
    labels = table("a.mp4,0,5,1,negative,ann", "a.mp4,5,10,,positive,ann",
                   header="uri,start_s,end_s,label,face,participant")  # fmt: skip
    out, export = folder / "out", folder / "swift.jsonl"
    done = run_here(
        "prepare", "--table", labels, "--out", out, "--plain-participants", "--split", "1,0,0",
        "--label-columns", "face", "--export-swift", export,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "question face: train 1 negative, 1 positive" in done.stdout
    assert "the export leaves out 2 labels of face" in done.stdout
    assert len(export.read_text().splitlines()) == 1  # of the window that has a label of A/H
    assert json.loads((folder / "swift.swift.json").read_text())["labels_left_out"] == {"face": 2}
    assert len(read_windows(str(out))) == 2
    done = run_here("prepare", "--import-swift", export, "--out", folder / "back")
    assert done.returncode == 0, done.stderr
    assert read_labelled_answers(str(folder / "back")) == ANSWERS.empty_table()
    assert len(read_windows(str(folder / "back"))) == 1
