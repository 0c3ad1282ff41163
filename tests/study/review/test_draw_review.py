"""Drawn videos, from an output to labels: blind sheets, marks, weights, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import videos
from invented_review import read_sheet, score_invented, write_rows
from invented_rows import make_output
from rich.console import Console

from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.study.label_errors import FaultyInput
from ah_ray.study.labelled_manifest import read_about, read_labelled_videos, read_windows
from ah_ray.study.review.candidates import draw_moments
from ah_ray.study.review.draw import Strata, Unit
from ah_ray.study.review.draw_record import record_draw
from ah_ray.study.review.make import Review, make_review
from ah_ray.study.review.reviewed import take_back
from ah_ray.study.review.settings import answer_settings, cut_settings
from ah_ray.study.review.sheet import row_of

CLIP_S = 5.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """10 s, a key frame every 5 s."""
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "125", "-bf", "2")
    path = tmp_path_factory.mktemp("recording") / "recording.mp4"
    return videos.make_numbered(path, n_frames=250, codec=codec, sound=videos.TONE)


@pytest.fixture
def scored(recording, tmp_path) -> Path:
    """12 real videos, 4 of them a Yes."""
    (tmp_path / "cohort").mkdir()
    rows = {}
    for n in range(12):
        path = shutil.copy(recording, tmp_path / "cohort" / f"Ann {n}.mp4")
        rows[f"v{n:02}"] = (path, [0.9, 0.1] if n < 4 else [0.2, 0.1])
    score_invented(tmp_path / "scores", rows)
    return tmp_path / "scores"


def review(out: Path, to: Path, **settings: object) -> Review:
    return make_review(cut_settings(out=str(out), to=str(to), **settings), Console(quiet=True))


def test_whole_videos_are_cut_and_nothing_tells_their_stratum(scored, tmp_path):
    made = review(scored, tmp_path / "review", draw=6)
    assert len(made.cut) == 6 and not made.skipped
    assert all(one.clip.endswith("-whole.mp4") for one in made.cut)
    rows = read_sheet(tmp_path / "review" / "sheet.csv")
    assert {(row["start_s"], row["end_s"]) for row in rows} == {("0", "10")}
    draw = {row["selection"].partition("-")[0] for row in rows}
    marks = {row["selection"].partition("-")[2] for row in rows}
    assert draw == {made.draw.draw} and len(marks) == 6, "each row has a mark of its own"
    for path in (tmp_path / "review").rglob("*.*"):
        content = path.read_bytes()
        for secret in (b"Ann", b"0.9", made.draw.key.encode()):
            assert secret not in content
    record = (scored / "reviews" / f"{made.draw.draw}.json").read_text()
    assert "v0" not in record and "Ann" not in record, "the record names no video"


def test_the_same_draw_again_keeps_the_sheets_valid(scored, tmp_path):
    review(scored, tmp_path / "one", draw=6)
    review(scored, tmp_path / "two", draw=6)
    one, two = (read_sheet(tmp_path / name / "sheet.csv") for name in ("one", "two"))
    assert one == two
    review(scored, tmp_path / "three", draw=6, seed=1)
    three = read_sheet(tmp_path / "three" / "sheet.csv")
    assert {row["video_id"] for row in three} != {row["video_id"] for row in one}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draw": 6, "top": 3}, "--top chooses moments by their scores, and --draw draws without"),
        ({"draw": 6, "surest": ["no"]}, "--surest chooses moments by their scores"),
        ({"draw": 6, "show_scores": True}, "--show-scores would guide the answers about a draw"),
        ({"draw": 3}, "--draw: Input should be greater than or equal to 4"),
        ({"unit": "clip"}, "--unit is of no use without --draw"),
        ({"strata": "score"}, "--strata is of no use without --draw"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ConfigError) as caught:
        cut_settings(out="scores", to="review", **settings)
    assert message in str(caught.value)


N_YES, N_NO = 30, 70


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> str:
    """100 videos of two clips that were scored, and one that could not be."""
    folder = str(tmp_path_factory.mktemp("scores"))
    rows = {f"v{n:03}": [0.9, 0.2] if n < N_YES else [0.3, 0.2] for n in range(N_YES + N_NO)}
    make_output(folder, {**rows, "w": ErrorKind.UNREADABLE})
    return folder


def sheet_of(out: str, *, unit: Unit = Unit.VIDEO, n: int = 40, seed: int = 0) -> list[dict]:
    """A sheet as make_review writes it, without cutting videos that nobody has."""
    how = {"unit": unit, "strata": Strata.VERDICT, "seed": seed}
    drawn = draw_moments(out, n=n, **how)
    assert drawn.n_without_score == 1
    _, marks = record_draw(out, drawn, **how)
    return [row_of(moment, "clip", selection=mark, show_score=False) for moment, mark in marks]


@pytest.fixture
def take_answers(cohort, tmp_path):
    def run(rows: list[dict], **settings: object):
        path = write_rows(tmp_path / "sheet.csv", rows)
        values = {"out": cohort, "labels_out": str(tmp_path / "labels"), **settings}
        return take_back(answer_settings(answers=(str(path),), **values))

    return run


def answer(rows: list[dict], yes=lambda row: row["video_id"] < "v025") -> list[dict]:
    return [{**row, "answer": "Yes" if yes(row) else "No", "reviewer": "AB"} for row in rows]


def test_labels_remember_how_they_were_drawn(cohort, take_answers):
    made = take_answers(answer(sheet_of(cohort)))
    rows = read_labelled_videos(made.out).to_pylist()
    assert len(rows) == 40 and {row["split"] for row in rows} == {"test"}
    for row in rows:
        is_yes = row["video_id"] < f"v{N_YES:03}"
        stratum = row["selection"].rpartition(":")[2]
        assert row["selection"].startswith("drawn:") and stratum == ("Yes" if is_yes else "No")
        assert row["weight"] == pytest.approx((N_YES if is_yes else N_NO) / 20)
        assert row["label"] == int(row["video_id"] < "v025")
    assert sum(row["weight"] for row in rows) == pytest.approx(N_YES + N_NO)
    windows = read_windows(made.out).to_pylist()
    assert {window["label"] for window in windows} == {0}, "nobody said when in a Yes"
    assert made.about["draw"]["without_score"] == 1


def test_videos_without_an_answer_pass_their_weight_on(cohort, take_answers):
    rows = answer(sheet_of(cohort))
    yes = [row for row in rows if row["video_id"] < f"v{N_YES:03}"]
    for row in yes[:5]:
        row["answer"] = "Cannot tell"
    yes[5] |= {"answer": "", "seen": "yes"}
    yes[6] |= {"answer": "", "seen": ""}
    made = take_answers(rows)
    found = read_labelled_videos(made.out).to_pylist()
    weights = {row["weight"] for row in found if row["selection"].endswith(":Yes")}
    assert list(weights) == [pytest.approx(N_YES / 13)]
    assert made.about["answers"] == {
        "cannot_tell": 5, "seen_without_answer": 1, "not_seen": 1, "without_answer": 0,
    }  # fmt: skip
    assert made.about["draw"]["strata"][0] == {
        "name": "Yes", "cohort": N_YES, "drawn": 20, "judged": 13,
    }  # fmt: skip


def test_a_mark_belongs_to_its_row_alone(cohort, take_answers):
    rows = answer(sheet_of(cohort))
    rows[0]["selection"], rows[1]["selection"] = rows[1]["selection"], rows[0]["selection"]
    with pytest.raises(FaultyInput) as caught:
        take_answers(rows)
    assert len(caught.value.faults) == 2
    assert "is not the mark of this row in the draw" in str(caught.value.faults[0])


def test_two_draws_are_not_mixed(cohort, take_answers):
    with pytest.raises(ConfigError, match=r"of 2 draws .* take them back one by one"):
        take_answers(answer([*sheet_of(cohort), *sheet_of(cohort, seed=1)]))


def test_a_draw_of_another_output_is_not_known(cohort, tmp_path, take_answers):
    other = str(tmp_path / "other")
    make_output(other, {f"v{n:03}": [0.9, 0.2] for n in range(60)})
    with pytest.raises(ConfigError, match="has no record of the draw"):
        take_answers(answer(sheet_of(cohort)), out=other)


@pytest.mark.parametrize("selection", ["", "moments", None])
def test_a_sheet_that_does_not_say_how_it_was_chosen(cohort, take_answers, selection):
    rows = answer(sheet_of(cohort))
    for row in rows:
        if selection is None:
            del row["selection"]
        else:
            row["selection"] = selection
    found = read_labelled_videos(take_answers(rows).out).to_pylist()
    assert {(row["selection"], row["weight"]) for row in found} == {("moments", None)}


def test_a_cohort_that_was_judged_whole_was_not_selected(cohort, take_answers):
    rows = answer(sheet_of(cohort, n=100))
    for row in rows:
        del row["selection"]
    found = read_labelled_videos(take_answers(rows).out).to_pylist()
    assert {(row["selection"], row["weight"]) for row in found} == {(None, None)}


def test_drawn_clips_tell_how_good_answers_about_clips_are(cohort, take_answers):
    """Reviewers say No to 5 of the 30 clips that are a Yes, and confirm the rest."""
    rows = sheet_of(cohort, unit=Unit.CLIP, n=60)
    made = take_answers(
        answer(rows, lambda row: row["video_id"] < "v025" and row["start_s"] == "0")
    )
    n_yes = sum(row["start_s"] == "0" and row["video_id"] < f"v{N_YES:03}" for row in rows)
    assert n_yes == 30
    found = made.drawn_clips
    assert found["accuracy"].value == pytest.approx((25 + 170) / 200)
    assert found["precision_ah"].value == pytest.approx(25 / 30)
    videos = read_labelled_videos(made.out).to_pylist()
    assert {row["selection"] for row in videos} == {"moments"}, "a video is more than its clips"


def test_certainty_and_cues_come_along(cohort, take_answers):
    rows = answer(sheet_of(cohort))
    yes = next(row for row in rows if row["answer"] == "Yes")
    yes |= {"certainty": "fairly sure", "cues": "voice; face"}
    made = take_answers(rows)
    found = {row["video_id"]: row for row in read_labelled_videos(made.out).to_pylist()}
    row = found[yes["video_id"]]
    assert (row["certainty"], row["cues"]) == ("fairly sure", ["face", "voice"])
    assert row["marks"] == [
        {"annotator": "reviewer 1", "start_s": 0.0, "end_s": 10.0, "certainty": "fairly sure",
         "cues": [{"cue": "face", "text": None}, {"cue": "voice", "text": None}]}
    ]  # fmt: skip
    assert "AB" not in json.dumps(read_about(made.out))
