"""Answers as a labelled manifest: what is known of windows and videos, and what is not."""

from __future__ import annotations

import json

import pytest
from invented_review import write_rows
from invented_rows import make_output

from ah_ray import storage
from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.study.label_errors import FaultyInput
from ah_ray.study.labelled_manifest import read_about, read_labelled_videos, read_windows
from ah_ray.study.review.reviewed import Taken, take_back
from ah_ray.study.review.settings import answer_settings
from ah_ray.study.review.sheet import content_of

VIDEOS = {
    "all": [0.9, 0.8, 0.2],
    "part": [0.9, 0.1],
    "clean": [0.3, 0.4],
    "half": [0.3, ErrorKind.DECODE],
}
ANSWERS = {
    "all": "YYN",
    "part": "Y-",
    "clean": "NN",
    "half": "N-",
}


def rows(answers=ANSWERS, reviewer="AB", **fields) -> list[dict[str, str]]:
    return [
        {
            "video_id": video_id,
            "start_s": str(5 * n),
            "end_s": str(5 * n + 5),
            "content": content_of("etag-1"),
            "answer": said.replace("-", ""),
            "reviewer": reviewer,
            **fields,
        }
        for video_id, given in answers.items()
        for n, said in enumerate(given)
    ]


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("scores"))
    make_output(folder, VIDEOS)
    return folder


@pytest.fixture
def take(out, tmp_path):
    def run(*sheets: list[dict[str, str]], **settings: object) -> Taken:
        files = [write_rows(tmp_path / f"{n}.csv", sheet) for n, sheet in enumerate(sheets)]
        values = {"out": out, "labels_out": str(tmp_path / "labels"), **settings}
        return take_back(answer_settings(answers=tuple(map(str, files)), **values))

    return run


def test_windows_and_videos(take, tmp_path):
    made = take(rows())
    windows, videos = read_windows(made.out).to_pylist(), read_labelled_videos(made.out).to_pylist()
    found = [
        (w["video_id"], w["window_index"], w["start_s"], w["end_s"], w["label"]) for w in windows
    ]
    assert found == [
        ("all", 0, 0, 5, 1), ("all", 1, 5, 10, 1), ("all", 2, 10, 15, 0),
        ("clean", 0, 0, 5, 0), ("clean", 1, 5, 10, 0),
        ("half", 0, 0, 5, 0),
        ("part", 0, 0, 5, 1),
    ]  # fmt: skip
    assert {w["uri"] for w in windows if w["video_id"] == "all"} == {"/cohort/all.mp4"}
    assert {(w["question"], w["weight"]) for w in windows} == {(None, 1.0)}
    assert [(v["video_id"], v["label"], v["segments"]) for v in videos] == [
        ("all", 1, [{"start_s": 0.0, "end_s": 10.0}]),
        ("clean", 0, []),
        ("half", None, []),  # one of its clips was never seen
        ("part", 1, []),  # A/H, and not known where else
    ]
    assert videos[0]["duration_s"] == 15.0


def test_what_reviewers_make_of_the_model(take):
    made = take(rows())
    assert made.by_model == {("Yes", "Yes"): 3, ("No", "No"): 4}
    made = take(rows({"all": "NNY"}))
    assert made.by_model == {("Yes", "No"): 2, ("No", "Yes"): 1}


def test_several_reviewers(take):
    sheets = [rows({"all": text}, reviewer=who) for who, text in (("A", "YYN"), ("B", "YN-"))]
    made = take(*sheets)
    windows = read_windows(made.out).to_pylist()
    assert [(w["start_s"], w["label"]) for w in windows] == [(0, 1), (10, 0)]
    assert made.about["left_out"] == {"ties": 1}
    assert made.about["agreement"]["ties"] == 1 and made.about["agreement"]["reviewers"] == 2
    assert read_labelled_videos(made.out)["label"].to_pylist() == [1]
    assert read_labelled_videos(made.out)["segments"].to_pylist() == [[]], "a tie is not known"


def test_only_ties_are_no_labels(take, tmp_path):
    with pytest.raises(ConfigError, match="no clip is left that has a majority"):
        take(rows({"part": "Y"}, reviewer="A"), rows({"part": "N"}, reviewer="B"))
    assert list((tmp_path / "labels").iterdir()) == []


def test_without_participants_each_video_is_one(take):
    made = take(rows())
    windows = read_windows(made.out).to_pylist()
    assert not made.has_people and all(w["participant_id"] == w["video_id"] for w in windows)
    splits = {w["video_id"]: w["split"] for w in windows}
    assert sorted(splits.values()) == ["test", "train", "train", "val"]


def test_participants_stay_in_one_split_under_pseudonyms(take, tmp_path):
    key = tmp_path / "key"
    key.write_text("of sixteen bytes or more")
    people = [{"video_id": v, "participant": f"Ann {v in 'all part'}"} for v in VIDEOS]
    table = write_rows(tmp_path / "people.csv", people)
    made = take(rows(), participants=str(table), id_key=str(key), split="0.5,0,0.5")
    videos = {row["video_id"]: row for row in read_labelled_videos(made.out).to_pylist()}
    assert videos["all"]["participant_id"] == videos["part"]["participant_id"]
    assert videos["all"]["split"] == videos["part"]["split"] != videos["clean"]["split"]
    for path in (tmp_path / "labels").iterdir():
        assert b"Ann" not in path.read_bytes()
    assert made.about["pseudonyms"]


def test_participants_of_the_sheet_itself(take):
    sheet = rows({"all": "Y", "part": "Y"}, participant="P-1")
    with pytest.raises(ConfigError, match="participants need pseudonyms"):
        take(sheet)
    made = take(sheet, plain_participants=True)
    assert set(read_windows(made.out)["participant_id"].to_pylist()) == {"P-1"}


def test_splits_that_the_table_brings(take, tmp_path):
    people = [{"video_id": v, "participant": v, "split": "test"} for v in VIDEOS]
    settings = {"plain_participants": True}
    table = str(write_rows(tmp_path / "people.csv", people))
    made = take(rows(), participants=table, **settings)
    assert set(read_windows(made.out)["split"].to_pylist()) == {"test"}
    with pytest.raises(ConfigError, match="--participants brings its own"):
        take(rows(), participants=table, split="0.7,0.1,0.2", **settings)
    people[0]["split"], people[0]["participant"] = "train", "clean"
    table = str(write_rows(tmp_path / "people.csv", people))
    with pytest.raises(FaultyInput) as caught:
        take(rows(), participants=table, **settings)
    assert "participant clean is in train" in str(caught.value.faults[0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"video_id": "other"}, "video other is not in OUT; give the OUT that was cut from"),
        ({"content": "00000000"}, "was scored again since it was cut, with other content"),
        ({"end_s": "99"}, "0 – 99 s is outside video all"),
        ({"answer": "hm"}, "the answer 'hm' is unknown"),
        ({"answer": "N"}, None),
    ],
)
def test_what_is_wrong_is_reported_and_may_be_left_out(take, changes, told, tmp_path):
    sheet = rows()
    sheet[0] |= changes
    if told is None:
        take(sheet)
        return
    with pytest.raises(FaultyInput) as caught:
        take(sheet)
    assert [told in str(fault) for fault in caught.value.faults] == [True]
    assert not storage.exists(str(tmp_path / "labels" / "prepared.json"))
    made = take(sheet, skip_faulty=True)
    left = set(read_windows(made.out)["video_id"].to_pylist())
    assert left == VIDEOS.keys() - ({"all"} if changes.get("video_id") is None else set())
    assert made.about["left_out"]["faulty videos"] == 1


def test_sheets_without_answers(take):
    with pytest.raises(ConfigError, match="there is no answer in these sheets"):
        take(rows({"all": "---"}))


def test_the_same_answers_give_the_same_labels(take):
    first = read_about(take(rows()).out)["data_fingerprint"]
    assert read_about(take(rows()).out)["data_fingerprint"] == first
    other = ANSWERS | {"clean": "NY"}
    assert read_about(take(rows(other)).out)["data_fingerprint"] != first


def test_a_manifest_of_another_source_is_never_replaced(take, tmp_path):
    """Only a manifest made from answers is replaced by new answers."""
    labels = tmp_path / "labels"
    take(rows())
    take(rows(ANSWERS | {"clean": "NY"}))
    about = labels / "prepared.json"
    by_prepare = json.loads(about.read_text())
    del by_prepare["agreement"]
    for content in (json.dumps(by_prepare), "{", None):
        if content is None:
            about.unlink()
        else:
            about.write_text(content)
        before = {path.name: path.read_bytes() for path in labels.iterdir()}
        with pytest.raises(ConfigError, match="not from answers taken back: choose another folder"):
            take(rows())
        assert {path.name: path.read_bytes() for path in labels.iterdir()} == before


def test_participants_come_from_the_rows_where_they_name_all(tmp_path, take):
    said = {video_id: {"participant": who} for video_id, who in zip(VIDEOS, "PPQQ", strict=True)}
    named, partly = str(tmp_path / "named"), str(tmp_path / "partly")
    make_output(named, VIDEOS, said=said)
    with pytest.raises(ConfigError, match="participants need pseudonyms"):
        take(rows(), out=named)
    made = take(rows(), out=named, plain_participants=True)
    who = {v["video_id"]: v["participant_id"] for v in read_labelled_videos(made.out).to_pylist()}
    assert made.has_people and who == {"all": "P", "part": "P", "clean": "Q", "half": "Q"}
    make_output(partly, VIDEOS, said={"all": {"participant": "P"}})
    assert not take(rows(), out=partly).has_people


def test_participants_of_rows_that_hide_names_are_pseudonyms(tmp_path, take, out):
    (tmp_path / "key").write_bytes(b"k" * 32)
    hidden = str(tmp_path / "hidden")
    said = {video_id: {"participant": "0123456789abcdef"} for video_id in VIDEOS}
    make_output(hidden, VIDEOS, said=said, hide_uris=True)
    cohort = tmp_path / "cohort.csv"
    lines = [f"/cohort/{video_id}.mp4,{video_id}" for video_id in VIDEOS]
    cohort.write_text("\n".join(["uri,video_id", *lines]))
    for key in ({}, {"id_key": str(tmp_path / "key")}):
        made = take(rows(), out=hidden, videos=str(cohort), **key)
        found = read_labelled_videos(made.out)["participant_id"].to_pylist()
        assert set(found) == {"0123456789abcdef"}, "not hashed again"
        assert read_about(made.out)["pseudonyms"]
