from __future__ import annotations

import multiprocessing
import os
import socket
from pathlib import Path

import pytest

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, PreconditionFailed, StorageError


def test_the_order_is_that_of_s3(tmp_path):
    names = ["a/b.mp4", "a.mp4", "a-b.mp4", "B.mp4", "a/a/a.mp4", "é.mp4", "z.mp4", "a b/c.mp4"]
    for name in names:
        storage.write_whole(storage.join(str(tmp_path), name), b"")
    listed = [entry.key for page in storage.list_pages(str(tmp_path)) for entry in page]
    assert listed == sorted(names, key=str.encode)


def test_messages_stay_on_one_line(tmp_path):
    uri = str(tmp_path / "a\nb\x1b[2J\u202e.mp4")
    storage.write_whole(uri, b"x")
    (page,) = storage.list_pages(str(tmp_path))
    assert page[0].uri == uri
    with pytest.raises(ObjectMissing, match=r"a\\nb\\x1b\[2J\\u202e\.mp4x: No such file"):
        storage.stat(uri + "x")


def test_many_files_come_in_pages(tmp_path):
    for n in range(2_100):
        (tmp_path / f"{n:04}.mp4").touch()
    pages = list(storage.list_pages(str(tmp_path)))
    assert [len(page) for page in pages] == [1_000, 1_000, 100]


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.mp4").write_bytes(b"x")
    (tmp_path / "real/up").symlink_to(tmp_path)
    (tmp_path / "real/self").symlink_to(".")
    (tmp_path / "again").symlink_to("real")
    listed = [entry.key for page in storage.list_pages(str(tmp_path)) for entry in page]
    assert listed == ["again/x.mp4", "real/x.mp4"]


def test_what_is_no_file_is_listed_without_a_version(tmp_path):
    (tmp_path / "dangling.mp4").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket.mp4"))
    (page,) = storage.list_pages(str(tmp_path))
    assert [(e.key, e.etag, e.size_bytes) for e in page] == [
        ("dangling.mp4", None, None),
        ("pipe.mp4", None, None),
        ("socket.mp4", None, None),
    ]
    with pytest.raises(ObjectMissing, match="not a file"):
        storage.stat(str(tmp_path / "pipe.mp4"))


def test_a_writer_that_dies_leaves_the_old_content(tmp_path, monkeypatch):
    uri = str(tmp_path / "row.parquet")
    storage.write_whole(uri, b"old")

    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device; make room"):
        storage.write_whole(uri, b"new")
    assert storage.read_bytes(uri) == b"old"
    assert os.listdir(tmp_path) == ["row.parquet"]  # noqa: PTH208


def test_files_are_as_readable_as_others_that_the_user_makes(tmp_path):
    storage.write_whole(str(tmp_path / "row"), b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "row").stat().st_mode == (tmp_path / "plain").stat().st_mode


def _count_up(uri: str, times: int) -> None:
    for _ in range(times):
        while True:
            data, etag = storage.read_versioned(uri)
            try:
                storage.replace_if(uri, str(int(data) + 1).encode(), etag)
                break
            except PreconditionFailed:
                continue


def test_processes_do_not_overwrite_one_another(tmp_path):
    uri = str(tmp_path / "counter")
    storage.create_exclusive(uri, b"0")
    spawned = multiprocessing.get_context("fork")
    writers = [spawned.Process(target=_count_up, args=(uri, 40)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert storage.read_bytes(uri) == b"160"


def test_a_place_that_cannot_be_used_is_told_before_the_run(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"cannot be read: listing .*No such file or directory"):
        storage.check_readable(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"cannot be read: .*Not a directory"):
        storage.check_readable(str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"cannot be read: .*No such file"):
        storage.check_readable(str(tmp_path / "none.csv"))
    with pytest.raises(ConfigError, match="cannot be written to"):
        storage.check_writable(str(tmp_path / "file/out"))
    storage.check_writable(str(tmp_path / "new/out"))
    assert list(Path(tmp_path / "new/out").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_denied(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ConfigError, match="Permission denied; check who may use it"):
        storage.check_readable(str(tmp_path / "closed"))
