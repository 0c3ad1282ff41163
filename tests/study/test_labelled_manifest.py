"""The labelled manifest as files: explicit types, read back, and told when it is none."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.study import labelled_manifest
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

WINDOW = {
    "uri": "/v.mp4", "video_id": "v", "window_index": 0, "start_s": 0.0, "end_s": 5.0, "label": 1,
    "question": None, "participant_id": "p", "split": "train", "weight": 1.0,
}  # fmt: skip
VIDEO = {
    "uri": "/v.mp4", "video_id": "v", "label": 1, "duration_s": 6.0, "participant_id": "p",
    "split": "train", "segments": [{"start_s": 0.0, "end_s": 6.0}],
}  # fmt: skip

ABOUT = {"data_fingerprint": "0123456789abcdef", "participants": 1}


def tables(window=None, video=None):
    return (
        pa.Table.from_pylist([{**WINDOW, **(window or {})}], WINDOWS),
        pa.Table.from_pylist([{**VIDEO, **(video or {})}], LABELLED_VIDEOS),
    )


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_written_and_read(place, request, tmp_path):
    out = str(tmp_path / "out")
    if place == "bucket":
        out = f"s3://{request.getfixturevalue('bucket')}/labels"
    windows, videos = tables()
    more = pa.concat_tables([windows, *tables({"split": "test"})[:1]])
    write_labels(out, more, videos, ABOUT)
    assert read_windows(out) == more
    assert read_windows(out, "train") == windows
    assert read_windows(out, "val").num_rows == 0
    assert read_labelled_videos(out, "train") == videos
    assert read_about(out) == ABOUT


def test_columns_that_are_null_throughout_keep_their_types(tmp_path):
    windows, videos = tables()
    write_labels(str(tmp_path), windows, videos, ABOUT)
    assert pq.read_schema(tmp_path / "windows.parquet").equals(WINDOWS)
    assert pq.read_schema(tmp_path / "videos.parquet").equals(LABELLED_VIDEOS)


def test_the_fingerprint_is_of_what_is_learned():
    same = {fingerprint(*tables({"uri": f"/{n}.mp4"}, {"age": n})) for n in range(3)}
    assert len(same) == 1
    windows = [{"label": 0}, {"end_s": 4.9}, {"split": "val"}, {"weight": 2.0}, {"question": "?"}]
    videos = [{"label": 0}, {"duration_s": 6.1}, {"segments": []}, {"participant_id": "q"}]
    others = {fingerprint(*tables(window)) for window in windows}
    others |= {fingerprint(*tables(None, video)) for video in videos}
    assert len(others | same) == len(windows) + len(videos) + 1


ANSWER = {
    "video_id": "v", "start_s": 0.0, "end_s": 5.0, "question": "face", "answer": "positive",
    "weight": 1.0, "participant_id": "p", "split": "train",
}  # fmt: skip


def test_labels_of_a_profiles_questions_are_a_third_table(tmp_path):
    whole = {"start_s": None, "end_s": None, "split": "test"}
    answers = pa.Table.from_pylist([{**ANSWER, **whole}, ANSWER], ANSWERS)
    write_labels(str(tmp_path), *tables(), ABOUT, answers=answers)
    assert read_labelled_answers(str(tmp_path)) == answers
    assert read_labelled_answers(str(tmp_path), "train") == answers.slice(1)
    assert read_labelled_answers(str(tmp_path), "val") == ANSWERS.empty_table()
    write_labels(str(tmp_path), *tables(), ABOUT)  # labels without them take their place
    assert not (tmp_path / "answers.parquet").exists()
    assert read_labelled_answers(str(tmp_path)) == ANSWERS.empty_table()
    with pytest.raises(ConfigError, match=r"has no prepared\.json"):
        read_labelled_answers(str(tmp_path / "other"))


def test_the_fingerprint_covers_labels_of_questions_where_there_are_any():
    before = fingerprint(*tables())
    assert before == "5752d7ba47f7a234"  # as it was before there were such labels
    assert fingerprint(*tables(), ANSWERS.empty_table()) == before
    changes = [
        {}, {"video_id": "w"}, {"start_s": 1.0}, {"end_s": None}, {"question": "voice"},
        {"answer": "neutral"}, {"weight": 2.0}, {"participant_id": "q"}, {"split": "val"},
    ]  # fmt: skip
    found = [
        fingerprint(*tables(), pa.Table.from_pylist([{**ANSWER, **one}], ANSWERS))
        for one in changes
    ]
    assert len({before, *found}) == len(changes) + 1


def test_the_description_is_written_last(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        labelled_manifest.storage, "write_whole", lambda uri, _: written.append(uri)
    )
    write_labels(str(tmp_path), *tables(), ABOUT)
    assert [uri.rpartition("/")[2] for uri in written] == [
        "windows.parquet", "videos.parquet", "prepared.json",
    ]  # fmt: skip


def test_stopped_while_it_replaces_another_it_leaves_nothing_to_read(tmp_path, monkeypatch):
    out, write = str(tmp_path), storage.write_whole
    write_labels(out, *tables(), ABOUT)

    def stopped(uri, content):
        if uri.endswith("videos.parquet"):
            raise KeyboardInterrupt
        write(uri, content)

    monkeypatch.setattr(labelled_manifest.storage, "write_whole", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_labels(out, *tables({"label": 0}, {"label": 0}), ABOUT)
    for read in (read_windows, read_labelled_videos, read_about):
        with pytest.raises(ConfigError, match=r"has no prepared\.json: .* one that did not end"):
            read(out)


def test_what_is_no_labelled_manifest(tmp_path):
    with pytest.raises(ConfigError, match=r"has no prepared\.json: it is no output of jobs/prep"):
        read_windows(str(tmp_path))
    storage.write_whole(str(tmp_path / "prepared.json"), json.dumps(ABOUT).encode())
    with pytest.raises(ConfigError, match=r"has no windows\.parquet"):
        read_windows(str(tmp_path))
    storage.write_whole(str(tmp_path / "windows.parquet"), b"nothing")
    with pytest.raises(ConfigError, match="is damaged"):
        read_windows(str(tmp_path))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"uri": ["x"]}), buffer)
    storage.write_whole(str(tmp_path / "windows.parquet"), buffer.getvalue())
    with pytest.raises(ConfigError, match="has other columns: run jobs/prepare"):
        read_windows(str(tmp_path))


@pytest.mark.parametrize("content", ["", '{"data_fingerp', "{}", "[]", '{"data_fingerprint": 1}'])
def test_a_damaged_description(tmp_path, content):
    write_labels(str(tmp_path), *tables(), ABOUT)
    (tmp_path / "prepared.json").write_text(content)
    for read in (read_windows, read_labelled_videos, read_about):
        with pytest.raises(
            ConfigError, match=r"prepared\.json is damaged: run jobs/prepare\.py again"
        ):
            read(str(tmp_path))


def test_a_table_with_any_byte_changed(tmp_path):
    """Of its pages, which have checksums; a footer has none."""
    write_labels(str(tmp_path), *tables(), ABOUT)
    file = tmp_path / "windows.parquet"
    content, was, n_told = file.read_bytes(), read_windows(str(tmp_path)), 0
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(0, footer, 3):
        broken = bytes([*content[:place], content[place] ^ 0x5A, *content[place + 1 :]])
        file.write_bytes(broken)
        try:
            assert read_windows(str(tmp_path)).equals(was)
        except ConfigError as error:
            assert "windows.parquet" in str(error)
            n_told += 1
    assert n_told > 100
