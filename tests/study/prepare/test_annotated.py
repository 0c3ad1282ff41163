"""Annotations of ELAN, BORIS and Label Studio become labels; what is odd in them is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import FaultyInput

VOCABULARY = """
annotations:
  - {tier: "AMB*", value: "ambivalent*", label: yes}
  - {tier: "AMB*", value: clear, label: no}
  - {tier: overall, value: 1, label: yes, whole: true}
  - {tier: overall, value: 0, label: no, whole: true}
  - {tier: "smile*", label: yes, question: "Is there a smile?"}
  - {tier: "tone*", question: tone, answer: "*"}
  - {tier: mood, value: "-", question: mood, answer: low, whole: true}
  - {tier: gaze, label: ignored}
"""


def eaf(*tiers: str, times: dict[str, int], media: str = "a.mp4", head: str = "") -> str:
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{name}" TIME_VALUE="{ms}"/>\n' for name, ms in times.items()
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}\n<ANNOTATION_DOCUMENT AUTHOR="" '
        'DATE="2026-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">\n'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">\n<MEDIA_DESCRIPTOR '
        f'MEDIA_URL="file:///C:/Users/x/{media}" MIME_TYPE="video/mp4"/>\n</HEADER>\n'
        f"<TIME_ORDER>\n{slots}</TIME_ORDER>\n{''.join(tiers)}</ANNOTATION_DOCUMENT>\n"
    )


def tier(name: str, *annotations: tuple[str, str, str], who: str = "ann") -> str:
    """`annotations`: value, and the names of both time slots."""
    inside = "".join(
        f'<ANNOTATION>\n<ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}{n}" TIME_SLOT_REF1="{start}" '
        f'TIME_SLOT_REF2="{end}">\n<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>\n"
        for n, (value, start, end) in enumerate(annotations)
    )
    names = f'ANNOTATOR="{who}" PARTICIPANT="Ärger"'
    return f'<TIER LINGUISTIC_TYPE_REF="t" {names} TIER_ID="{name}">\n{inside}</TIER>\n'


TIMES = {"t0": 0, "t1": 1500, "t2": 6000, "t3": 11000, "t9": 30_000}


@pytest.fixture
def vocabulary(tmp_path) -> Path:
    (tmp_path / "vocabulary.yaml").write_text(VOCABULARY)
    return tmp_path / "vocabulary.yaml"


@pytest.fixture
def elan(folder):
    """Writes a file of ELAN beside the recordings a.mp4 (12 s) and gives the folder."""

    def write(*tiers: str, name: str = "a", **fields: object) -> Path:
        (folder / f"{name}.eaf").write_text(eaf(*tiers, times=TIMES, **fields), "utf-8")
        return folder

    return write


def spans(prepared) -> list[tuple]:
    return [
        (Path(row["uri"]).stem, row["start_s"], row["end_s"], row["label"])
        for row in prepared.windows.to_pylist()
    ]


def test_intervals_of_elan_by_a_vocabulary(elan, vocabulary, prepared):
    source = elan(
        tier("AMB-face", ("ambivalent (face)", "t1", "t2"), ("clear", "t2", "t3")),
        tier("gaze", ("left", "t0", "t9")),
    )
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    assert spans(found) == [("a", 1.5, 6.0, 1), ("a", 6.0, 11.0, 0)]
    (video,) = found.videos.to_pylist()
    assert (video["participant_id"], video["annotators"], video["label"]) == ("Ärger", ["ann"], 1)
    assert video["marks"][0]["start_s"] == 1.5


def test_the_majority_of_three_annotators(elan, vocabulary, prepared):
    source = elan(
        tier("AMB@ann", ("ambivalent", "t0", "t2"), who="ann"),
        tier("AMB@bob", ("ambivalent", "t1", "t3"), who="bob"),
        tier("overall@cy", ("0", "t0", "t3"), who="cy"),
    )
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    (video,) = found.videos.to_pylist()
    assert video["label"] == 1 and video["annotators"] == ["ann", "bob", "cy"]
    assert video["segments"] == [{"start_s": 1.5, "end_s": 6.0}]
    assert found.about["annotators"]["annotators"] == 3


def test_a_file_for_each_annotator(elan, vocabulary, prepared):
    elan(tier("overall", ("1", "t0", "t3"), who="ann"), name="ann")
    source = elan(tier("overall", ("0", "t0", "t3"), who="bob"), name="bob")
    with pytest.raises(FaultyInput, match="1 tie between annotators"):
        prepared(elan=source, vocabulary=vocabulary, split="1,0,0")


def test_a_question_of_its_own(elan, vocabulary, prepared):
    source = elan(tier("smile", ("", "t0", "t1")), tier("overall", ("0", "t0", "t3")))
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    asked = {row["question"]: row["label"] for row in found.windows.to_pylist()}
    assert asked == {"Is there a smile?": 1, None: 0}


def test_answers_to_questions_of_the_profile(elan, vocabulary, prepared):
    source = elan(
        tier("tone", ("warm", "t0", "t2"), ("cold", "t2", "t3"), who="ann"),
        tier("tone@bob", ("warm", "t1", "t3"), who="bob"),
        tier("mood", ("-", "t0", "t1"), who="ann"),
        tier("overall", ("0", "t0", "t3"), who="ann"),
    )
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    answers = [
        (row["question"], row["answer"], row["start_s"], row["end_s"])
        for row in found.answers.to_pylist()
    ]
    assert answers == [("mood", "low", None, None), ("tone", "warm", 1.5, 6.0)]
    assert found.videos["label"].to_pylist() == [0]


def test_answers_alone_are_labels(elan, vocabulary, prepared):
    source = elan(tier("tone", ("warm", "t0", "t1"), ("cold", "t1", "t2")))
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    assert found.answers["answer"].to_pylist() == ["warm", "cold"]
    assert found.videos["label"].to_pylist() == [None]


def test_what_is_not_marked_is_a_no_if_the_vocabulary_says_so(elan, vocabulary, prepared):
    source = elan(tier("AMB"), tier("gaze", ("left", "t0", "t1")))
    with pytest.raises(FaultyInput, match="1 video without an annotation"):
        prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    vocabulary.write_text(VOCABULARY + "unmarked: no\n")
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    assert found.videos["label"].to_pylist() == [0]
    elan(tier("gaze", ("left", "t0", "t1")))  # nobody looked for A/H here
    with pytest.raises(FaultyInput, match="1 video without an annotation"):
        prepared(elan=source, vocabulary=vocabulary, split="1,0,0")


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ([tier("AMB", ("ambivalnt", "t0", "t1"))], "the value 'ambivalnt' of 'AMB' is not in"),
        ([tier("AMB", ("clear", "t1", "t1"))], "the interval 1.5 – 1.5 s of 'AMB' is empty"),
        ([tier("AMB", ("clear", "t2", "t1"))], "the interval 6 – 1.5 s of 'AMB' is reversed"),
        ([tier("AMB", ("clear", "t0", "none"))], "an annotation in tier 'AMB' has no time"),
        ([tier("AMB", ("ambivalent", "t2", "t9"))], "the interval 6 – 30 s is outside the video"),
        (
            [tier("AMB", ("ambivalent", "t0", "t2")), tier("AMB2", ("clear", "t1", "t3"))],
            "it is a Yes and a No at 1.5 s",
        ),
        (
            [tier("AMB", ("ambivalent", "t0", "t2")), tier("overall", ("0", "t0", "t3"))],
            "a stretch of it is a Yes",
        ),
        (
            [tier("tone", ("warm", "t0", "t2")), tier("tone 2", ("cold", "t1", "t3"))],
            "'tone': it is a warm and a cold at 1.5 s",
        ),
        (
            [tier("overall", ("0", "t0", "t2")), tier("overall2@x", ("1", "t0", "t3"))],
            "'overall2@x' is not in",
        ),
    ],
)
def test_what_is_odd_is_a_sentence_with_file_and_line(elan, vocabulary, faults_of, tiers, expected):
    found = faults_of(elan=elan(*tiers), vocabulary=vocabulary, split="1,0,0")
    assert any(expected in one for one in found), found
    assert all(one.startswith("a.eaf:") for one in found)
    (line,) = {int(one.split(":")[1]) for one in found if expected in one}
    assert line > 10


def test_overlaps_of_one_annotator_are_one(elan, vocabulary, prepared):
    source = elan(
        tier("AMB", ("ambivalent", "t0", "t2")), tier("AMB 2", ("ambivalent", "t1", "t3"))
    )
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    (video,) = found.videos.to_pylist()
    assert video["segments"] == [{"start_s": 0.0, "end_s": 11.0}] and len(video["marks"]) == 2


BOMB = '<!DOCTYPE d [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'
FILE = '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [BOMB, FILE, "<!DOCTYPE d>"])
def test_document_types_are_refused(elan, vocabulary, faults_of, head):
    (fault,) = faults_of(elan=elan(tier("AMB"), head=head), vocabulary=vocabulary)
    assert "it has a document type, which could name other files" in fault


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is not XML"),
        (b"<a>" * 200, "nested too deeply"),
        (b"<html/>", "its root is html, not ANNOTATION_DOCUMENT"),
        (b"\x00\xff", "it is not XML"),
    ],
)
def test_files_that_are_none_of_elan(folder, faults_of, content, expected):
    (folder / "a.eaf").write_bytes(content)
    (fault,) = faults_of(elan=folder)
    assert expected in fault


def test_a_recording_that_is_not_there(elan, vocabulary, faults_of):
    source = elan(
        tier("overall", ("0", "t0", "t1"), who="ann"),
        tier("overall@bob", ("0", "t0", "t1"), who="bob"),
        media="zz.mp4",
    )
    (fault,) = faults_of(elan=source, vocabulary=vocabulary)
    assert "the recording 'file:///C:/Users/x/zz.mp4' is not there" in fault


def test_a_recording_that_nobody_annotated_need_not_be_there(elan, vocabulary, prepared):
    elan(tier("gaze", ("left", "t0", "t1")), media="zz.mp4", name="z")
    source = elan(tier("overall", ("0", "t0", "t3")))
    found = prepared(elan=source, vocabulary=vocabulary, split="1,0,0")
    assert len(found.videos) == 1
    assert found.about["left_out"]["videos without an annotation"] == 1


def test_recordings_elsewhere_are_found_by_the_cohort(elan, vocabulary, prepared, folder, tmp_path):
    elsewhere = tmp_path / "annotations"
    elsewhere.mkdir()
    elan(tier("overall", ("0", "t0", "t3")))
    (folder / "a.eaf").rename(elsewhere / "x.eaf")
    (folder / "deep").mkdir()
    (folder / "a.mp4").rename(folder / "deep" / "a.mp4")
    found = prepared(elan=elsewhere, vocabulary=vocabulary, videos=folder, split="1,0,0")
    (video,) = found.videos.to_pylist()
    assert video["uri"].endswith("deep/a.mp4") and found.about["ids_of"] == str(folder)


def project(*events: list, media: str = "a.mp4", **observation: object) -> str:
    same = {"file": {"1": [media]}, "type": "MEDIA", "time offset": 0.0}
    behaviours = {"AMB": "State event", "overall": "Point event", "gaze": "State event"}
    return json.dumps(
        {
            "project_format_version": "7.0",
            "behaviors_conf": {
                str(n): {"code": code, "type": kind}
                for n, (code, kind) in enumerate(behaviours.items())
            },
            "observations": {"o1": {**same, "events": list(events), **observation}},
        }
    )


def test_states_and_points_of_boris(folder, vocabulary, prepared):
    events = [
        [11.0, "Zoë", "AMB", "ambivalent", "", 1], [6.5, "Zoë", "AMB", "ambivalent", "", 1],
        [1.0, "Zoë", "overall", "1", ""], [1.0, "Zoë", "gaze", "None|", ""],
        [2.0, "Zoë", "gaze", "None|", ""],
    ]  # fmt: skip
    variables = {"coder": "bob"}
    text = project(*events, independent_variables=variables, **{"time offset": 0.5})
    (folder / "p.boris").write_text(text, "utf-8")
    vocabulary.write_text(VOCABULARY + "annotator: coder\n")
    found = prepared(boris=folder / "p.boris", vocabulary=vocabulary, split="1,0,0")
    (video,) = found.videos.to_pylist()
    assert video["segments"] == [{"start_s": 6.0, "end_s": 10.5}]
    assert (video["annotators"], video["participant_id"]) == (["bob"], "Zoë")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (project([1.0, "p", "AMB", "clear", ""]), "that starts at 1 s never stops"),
        (project([1.0, "p", "unknown", "", ""]), "'unknown' is not in the ethogram"),
        (project(["soon", "p", "AMB", "", ""]), "its event 1 has no time or no behaviour"),
        (project([1.0, "p", "overall", "1"], [1.0, "q", "overall", "1"]), "several subjects"),
        (project([1.0, "p", "overall", "7"]), "the value '7' of 'overall' is not in"),
        (project(file={"1": ["a.mp4", "b.mp4"]}), "it has 2 media files in player 1"),
        ("{}", "it has no behaviors_conf and observations"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_what_is_odd_in_a_project_of_boris(folder, vocabulary, faults_of, text, expected):
    (folder / "p.boris").write_text(text)
    (fault,) = faults_of(boris=folder, vocabulary=vocabulary, split="1,0,0")
    assert fault.startswith("p.boris:0: ") and expected in fault


def task(*results: dict, **annotation: object) -> dict:
    data = {"video": "/data/upload/3/0a1b2c3d-a.mp4", "participant": "Ann"}
    return {"id": 7, "data": data, "annotations": [{"result": list(results), **annotation}]}


def stretch(control: str, label: str, **value: object) -> dict:
    kind = "timelinelabels" if "ranges" in value else "labels"
    return {"from_name": control, "to_name": "v", "type": kind, "value": {**value, kind: [label]}}


def test_stretches_of_label_studio_in_frames_and_seconds(folder, vocabulary, prepared):
    tasks = [
        task(
            stretch("AMB", "ambivalent", ranges=[{"start": 26, "end": 150}]),
            stretch("AMB", "clear", start=7.5, end=11.25, channel=0),
            completed_by={"id": 4, "email": "bob@example.org"},
        )
    ]
    (folder / "e.json").write_text(json.dumps(tasks))
    vocabulary.write_text(VOCABULARY + "fps: 25\n")
    found = prepared(label_studio=folder / "e.json", vocabulary=vocabulary, split="1,0,0")
    assert spans(found) == [("a", 1.0, 6.0, 1), ("a", 7.5, 11.25, 0)]
    assert found.videos["annotators"].to_pylist() == [["bob@example.org"]]


def test_predictions_and_cancelled_annotations_are_no_labels(folder, vocabulary, prepared):
    choice = {"from_name": "overall", "type": "choices", "value": {"choices": ["1"]}}
    other = {**choice, "value": {"choices": ["0"]}}
    tasks = [task(choice, completed_by=3)]
    tasks[0]["predictions"] = [{"result": [other]}]
    tasks[0]["annotations"].append({"result": [other], "was_cancelled": True})
    (folder / "e.json").write_text(json.dumps(tasks))
    found = prepared(label_studio=folder, vocabulary=vocabulary, split="1,0,0")
    assert found.videos["label"].to_pylist() == [1]
    assert found.videos["annotators"].to_pylist() == [["user 3"]]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([task(stretch("AMB", "clear", ranges=[{"start": 1, "end": 9}]))], "in frames"),
        ([task(stretch("AMB", "?", start=1, end=2))], "task 7, annotation 1: the value '?'"),
        ([{"id": 7, "annotations": []}], "export as JSON, not as JSON-MIN"),
        ({"id": 7}, "it is no list of tasks"),
        ([{"data": {"text": 3}, "annotations": [{}]}], "its data names no recording"),
    ],
)
def test_what_is_odd_in_an_export_of_label_studio(folder, vocabulary, faults_of, tasks, expected):
    (folder / "e.json").write_text(json.dumps(tasks))
    (fault,) = faults_of(label_studio=folder, vocabulary=vocabulary, split="1,0,0")
    assert fault.startswith("e.json:0: ") and expected in fault


ALIASES = (
    "x: &a0 [y, y]\n"
    + "".join(f"x{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    + "annotations: [{label: *a39}]\n"
)
"""As a text, the label would have more characters than any machine has bytes."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("annotations: [{tier: x, label: perhaps}]", "annotations.0.label"),
        ("annotations: [{tier: x, label: ignored, whole: true}]", "neither `whole` nor `question`"),
        ("annotations: [{tier: x}]", "give `label`, or `question` and `answer`"),
        ("annotations: [{tier: x, answer: y}]", "name the question of the profile"),
        ("unmarked: yes", "unmarked: no"),
        ("- x", "it has no list `annotations`"),
        ("a: [", "not valid YAML"),
        ("tiers: {}", "tiers"),
        (ALIASES, "annotations.0.label"),
    ],
)
def test_a_vocabulary_that_is_none(elan, tmp_path, prepared, text, expected):
    (tmp_path / "v.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"--vocabulary .*v\.yaml") as caught:
        prepared(elan=elan(tier("AMB")), vocabulary=tmp_path / "v.yaml")
    assert expected in str(caught.value)


def test_settings_that_do_not_fit(prepared, elan, folder, vocabulary):
    with pytest.raises(ConfigError, match="--vocabulary goes with --elan, --boris or"):
        prepared(table="t.csv", vocabulary="v.yaml")
    with pytest.raises(ConfigError, match=r"give one of --bah, --table, .*--label-studio"):
        prepared(elan="x", boris="y")
    with pytest.raises(ConfigError, match="it holds no file"):
        prepared(elan=folder)
    with pytest.raises(ConfigError, match="there is nothing of that name"):
        prepared(boris=folder / "none.boris")
    with pytest.raises(ConfigError, match="--consent needs what annotations do not tell"):
        prepared(elan=elan(tier("AMB")), consent=("challenges",))
