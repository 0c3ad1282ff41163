"""Sheets as reviewers send them back: tolerant of form, strict about meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_review import read_sheet, write_rows

from ah_ray.errors import ConfigError
from ah_ray.study.exchange.clean_text import guarded, unguarded
from ah_ray.study.label_errors import Faults
from ah_ray.study.review.sheet import read_answers, seconds, write_sheet

ROW = {"clip": "clips/a-0000.000s.mp4", "video_id": "a", "start_s": "0", "end_s": "5",
       "content": "0123abcd", "answer": "Yes", "note": "", "reviewer": "AB"}  # fmt: skip


def read(tmp_path, *rows, name="sheet.csv"):
    faults = Faults()
    path = write_rows(tmp_path / name, [ROW | row for row in rows])
    return read_answers([str(path)], faults).answers, [str(one) for one in faults.sorted()]


@pytest.mark.parametrize(
    ("written", "yes"),
    [("Yes", True), ("no", False), (" Y ", True), ("N", False), ("1", True), ("0", False)],
)
def test_answers_are_read_however_they_are_written(tmp_path, written, yes):
    answers, faults = read(tmp_path, {"answer": written})
    assert [one.yes for one in answers] == [yes] and not faults


def test_no_answer_is_none(tmp_path):
    assert read(tmp_path, {"answer": ""}, {"answer": " "}) == ([], [])


def test_times_after_a_spreadsheet(tmp_path):
    answers, _ = read(tmp_path, {"start_s": "5,5", "end_s": "0:10.5"})
    assert (answers[0].start_s, answers[0].end_s) == (5.5, 10.5)


def test_semicolons_of_a_spreadsheet(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text('video_id;start_s;end_s;answer;note\na;5,5;10;Yes;"so, well; no"\n')
    answers = read_answers([str(path)], Faults()).answers
    assert [(one.start_s, one.end_s, one.yes) for one in answers] == [(5.5, 10.0, True)]


def test_who_left_no_name_is_called_after_the_file(tmp_path):
    answers, _ = read(tmp_path, {"reviewer": ""}, {}, name="from Cy.csv")
    assert [one.reviewer for one in answers] == ["from Cy.csv", "AB"]


def test_what_is_wrong_is_reported_with_its_line(tmp_path):
    answers, faults = read(
        tmp_path, {"answer": "perhaps"}, {"end_s": "0"}, {"start_s": "soon"}, {"video_id": "../x"}
    )
    assert not answers
    path = tmp_path / "sheet.csv"
    assert faults == [
        f"{path}:2: the answer 'perhaps' is unknown; write Yes, No or Cannot tell, or leave it "
        "empty",
        f"{path}:3: its times are not valid; leave start_s and end_s as they were",
        f"{path}:4: its times are not valid; leave start_s and end_s as they were",
        f"{path}:5: video_id '../x' is not of [A-Za-z0-9._-], 1 to 64 characters; leave video_id "
        "as it was",
    ]


def test_what_is_no_sheet_is_reported(tmp_path):
    (tmp_path / "other.csv").write_text("video_id,answer\na,Yes\n")
    with pytest.raises(ConfigError, match="has no column start_s, end_s"):
        read_answers([str(tmp_path / "other.csv")], Faults())
    with pytest.raises(ConfigError, match="cannot be read"):
        read_answers([str(tmp_path / "none.csv")], Faults())


def test_a_written_sheet_is_read_back(tmp_path):
    uri = str(tmp_path / "sheet.csv")
    write_sheet(uri, [ROW | {"note": 'he said "well, …"\nand left'}])
    answers = read_answers([uri], Faults()).answers
    assert [(one.video_id, one.start_s, one.end_s) for one in answers] == [("a", 0.0, 5.0)]


def test_seconds_are_plain():
    assert [seconds(s) for s in (0.0, 5.0, 7.25, 1e-7, 21599.98)] == [
        "0", "5", "7.25", "0", "21599.98",
    ]  # fmt: skip


@given(st.text(max_size=9), st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "'", "'=", "''-"]))
def test_no_cell_is_a_formula_and_each_is_read_as_it_was(text, first):
    cell = guarded(first + text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(cell) == first + text


def test_what_looks_like_a_formula_goes_to_a_spreadsheet_and_back(tmp_path):
    uri = tmp_path / "sheet.csv"
    write_sheet(str(uri), [ROW | {"video_id": "-a", "note": "=1+1", "reviewer": "@B"}])
    assert [(each["note"], each["reviewer"]) for each in read_sheet(uri)] == [("'=1+1", "'@B")]
    answers = read_answers([str(uri)], Faults()).answers
    assert [(one.video_id, one.reviewer) for one in answers] == [("-a", "@B")]


@pytest.mark.parametrize(
    "written", ["Cannot tell", "cannot tell ", "can't tell", "CAN’T TELL", "?"]
)
def test_cannot_tell_is_an_answer_and_no_label(tmp_path, written):
    answers, faults = read(tmp_path, {"answer": written})
    assert [one.yes for one in answers] == [None] and not faults


@pytest.mark.parametrize(
    ("certainty", "cues", "expected"),
    [
        ("sure", "", ("sure", ())),
        (" Fairly Sure", "voice", ("fairly sure", ("voice",))),
        ("", "words; FACE", (None, ("face", "words"))),
        ("unsure", "body, contradiction/face", ("unsure", ("face", "body", "contradiction"))),
    ],
)
def test_certainty_and_cues(tmp_path, certainty, cues, expected):
    ((answer,), faults) = read(tmp_path, {"certainty": certainty, "cues": cues})
    assert (answer.certainty, answer.cues) == expected and not faults


def test_an_unknown_certainty_or_cue_is_reported(tmp_path):
    answers, faults = read(
        tmp_path, {"certainty": "90 %", "cues": ""}, {"certainty": "", "cues": "face; smell"}
    )
    assert not answers
    assert "the certainty '90 %' is unknown; write sure, fairly sure, unsure" in faults[0]
    assert "the cue 'smell' is unknown; write face, voice, words, body, contra" in faults[1]
