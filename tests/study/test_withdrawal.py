"""Videos whose consent was withdrawn leave review folders and labelled manifests."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from in_process import said_by
from invented_rows import make_output

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.study.labelled_manifest import (
    ANSWERS,
    LABELLED_VIDEOS,
    WINDOWS,
    fingerprint,
    read_about,
    read_labelled_answers,
    read_labelled_videos,
    read_windows,
    write_labels,
)
from ah_ray.study.review.page import PAGE_FILE
from ah_ray.study.review.sheet import COLUMNS, SHEET_FILE, write_sheet
from ah_ray.study.withdrawal import held_beside, held_in, remove_from

ANNA, BOB = "/cohort/anna.mp4", "/cohort/bob.mp4"


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path) -> str:
    s3 = request.param == "s3"
    return f"s3://{request.getfixturevalue('bucket')}" if s3 else str(tmp_path)


def make_review(folder: str) -> None:
    rows = []
    for video_id in ("anna", "bob", "-anna"):
        clip = f"{video_id}-5.mp4"
        storage.write_whole(storage.join(folder, clip), b"a face")
        rows.append(dict.fromkeys(COLUMNS, "") | {"clip": clip, "video_id": video_id})
    write_sheet(storage.join(folder, SHEET_FILE), rows)
    storage.write_whole(storage.join(folder, PAGE_FILE), b"anna-5.mp4 bob-5.mp4")


def make_labels(folder: str) -> None:
    people = {"anna": ANNA, "bob": BOB}
    same = {"label": 1, "participant_id": "p", "split": "train"}
    windows = [
        same | {"video_id": name, "uri": uri, "window_index": 0, "start_s": 0.0, "end_s": 5.0}
        for name, uri in people.items()
    ]
    videos = [
        same | {"video_id": name, "uri": uri, "duration_s": 9.0} for name, uri in people.items()
    ]
    tables = (
        pa.Table.from_pylist(windows, schema=WINDOWS),
        pa.Table.from_pylist(videos, schema=LABELLED_VIDEOS),
    )
    face = same | {"question": "face", "answer": "positive", "weight": 1.0}
    answers = pa.Table.from_pylist([face | {"video_id": name} for name in people], schema=ANSWERS)
    about = {"settings": {"hop": 5}, "data_fingerprint": "of both"}
    write_labels(folder, *tables, about, answers=answers)


def everything(folder: str) -> str:
    pages = storage.list_pages(folder)
    return "".join(
        f"{entry.key} {storage.read_bytes(entry.uri)!r}" for page in pages for entry in page
    )


def test_a_review_folder(place):
    folder = f"{place}/review"
    make_review(folder)
    assert held_in(folder, {"anna"}, ()).clips == 1
    assert "anna-5.mp4" in everything(folder), "to look removes nothing"
    assert remove_from(folder, {"anna", "-anna"}, ()).clips == 2
    assert "anna" not in everything(folder)
    sheet = storage.read_bytes(f"{folder}/{SHEET_FILE}").decode("utf-8-sig")
    assert [row["video_id"] for row in csv.DictReader(io.StringIO(sheet))] == ["bob"]
    assert storage.exists(f"{folder}/bob-5.mp4")
    assert remove_from(folder, {"bob"}, ()).clips == 1
    assert not storage.exists(f"{folder}/{PAGE_FILE}")


@pytest.mark.parametrize("sought", [({"anna"}, ()), ((), {ANNA})])
def test_a_labelled_manifest(place, sought):
    folder = f"{place}/labels"
    make_labels(folder)
    assert held_in(folder, *sought).windows == 1
    assert remove_from(folder, *sought).windows == 1
    left = read_windows(folder), read_labelled_videos(folder), read_labelled_answers(folder)
    assert [table["video_id"].to_pylist() for table in left] == [["bob"]] * 3
    about = read_about(folder)
    assert about["data_fingerprint"] == fingerprint(*left)
    assert (about["videos"], about["settings"]) == (1, {"hop": 5})
    assert "anna" not in everything(folder)


def test_a_folder_that_is_neither(tmp_path):
    with pytest.raises(ConfigError, match=r"neither sheet.csv nor prepared.json"):
        held_in(str(tmp_path), (), ())


def test_the_job_names_what_still_holds_them_and_removes_it_where_it_is_asked_to(place, tmp_path):
    out, review, labels = f"{place}/out", f"{place}/review", f"{place}/labels"
    make_output(out, {"anna": [0.9]}, uri=ANNA)
    make_review(review)
    make_labels(labels)
    manifest = tmp_path / "withdrawn.csv"
    manifest.write_text(f"uri,video_id\n{ANNA},anna\n")
    told = said_by("status", out, "--purge", manifest, "--also", review)
    assert f"1 removed from {review}" in told
    assert f"Still in  {labels}: give it with --also" in told
    assert not storage.exists(f"{review}/anna-5.mp4")
    told = said_by("status", out, "--purge", manifest, "--also", labels)
    assert f"1 removed from {labels}" in told and "Still in" not in told
    told = said_by("status", out, "--purge", manifest, "--also", f"{place}/x", status=2)
    assert "neither sheet.csv nor prepared.json" in told


def test_an_output_that_is_a_whole_bucket_has_nothing_beside_it(bucket):
    make_output(f"s3://{bucket}", {"anna": [0.9]}, uri=ANNA)
    make_review(f"s3://{bucket}/review")
    assert held_beside(f"s3://{bucket}", {"anna"}, ()) == []
