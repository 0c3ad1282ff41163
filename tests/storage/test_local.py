from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import socket
import stat
from pathlib import Path

import pytest
from ordinary_user import as_ordinary_user

from ah_ray import storage
from ah_ray.errors import ConfigError, ErrorKind, ObjectMissing, PreconditionFailed, StorageError


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
    assert listed == ["real/x.mp4"], "and a link to a sibling counts nothing twice"


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


def test_conditional_writes_leave_no_file_beside_the_object(tmp_path):
    uri = str(tmp_path / "x")
    etag = storage.replace_if(uri, b"2", storage.create_exclusive(uri, b"1"))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    storage.remove_if(uri, etag)
    assert not list(tmp_path.iterdir())


def test_where_folders_cannot_be_locked_a_file_is(tmp_path, monkeypatch):
    """As over NFS."""
    flock = fcntl.flock

    def of_files_alone(file, operation):
        number = file if isinstance(file, int) else file.fileno()
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(file, operation)

    monkeypatch.setattr("ah_ray.storage.local.store.fcntl.flock", of_files_alone)
    test_processes_do_not_overwrite_one_another(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"counter", ".lock"}


def test_a_place_that_cannot_be_used_is_reported_before_the_run(tmp_path):
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


def test_denied(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(ConfigError, match="Permission denied; check who may use it"):
        as_ordinary_user(lambda: storage.check_readable(str(tmp_path / "closed")), tmp_path)


def entries_of(folder: Path) -> dict[str, storage.Entry]:
    return {entry.key: entry for page in storage.list_pages(str(folder)) for entry in page}


def test_what_may_not_be_read_is_listed_with_its_problem(tmp_path):
    for name in ("open.mp4", "closed.mp4", "closed/a.mp4", "open/b.mp4"):
        storage.write_whole(str(tmp_path / name), b"x")
    (tmp_path / "closed.mp4").chmod(0)
    (tmp_path / "closed").chmod(0)
    found = as_ordinary_user(lambda: entries_of(tmp_path), tmp_path)
    assert {key: entry.problem_kind for key, entry in found.items()} == {
        "closed": ErrorKind.DENIED,
        "closed.mp4": ErrorKind.DENIED,
        "open.mp4": None,
        "open/b.mp4": None,
    }
    assert found["closed.mp4"].etag is not None, "so that it is known again once it may be read"
    (tmp_path / "closed").chmod(0o755)


def test_a_link_that_leads_to_itself_is_one_bad_entry(tmp_path):
    storage.write_whole(str(tmp_path / "good.mp4"), b"x")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "loop").symlink_to("loop")
    found = entries_of(tmp_path)
    assert found["good.mp4"].problem is None
    assert found["loop.mp4"].problem_kind is found["loop"].problem_kind is ErrorKind.MISSING
    with pytest.raises(ObjectMissing):
        storage.read_bytes(str(tmp_path / "loop.mp4"))
    with pytest.raises(StorageError, match="Too many levels of symbolic links") as caught:
        entries_of(tmp_path / "loop")
    assert not isinstance(caught.value, ObjectMissing), "what lies there is not known"


def test_a_folder_counts_once_however_many_links_lead_to_it(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    storage.write_whole(str(root / "a/1.mp4"), b"x")
    storage.write_whole(str(outside / "2.mp4"), b"x")
    (root / "sibling").symlink_to("a")
    (root / "a" / "up").symlink_to("..")
    (root / "b").symlink_to(outside)
    (root / "c").symlink_to(outside)
    (root / "d").symlink_to(tmp_path)
    assert entries_of(root).keys() == {"a/1.mp4", "b/2.mp4"}


@pytest.mark.parametrize("read", [storage.read_bytes, storage.read_versioned, storage.open_read])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ObjectMissing, match="is not a file"):
        read(str(tmp_path / "pipe"))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_is_no_fault_of_the_file(tmp_path, monkeypatch, number):
    storage.write_whole(str(tmp_path / "x"), b"x")

    def fail(*_arguments, **_settings):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("ah_ray.storage.local.store.os.open", fail)
    with pytest.raises(StorageError) as caught:
        storage.read_bytes(str(tmp_path / "x"))
    assert type(caught.value) is StorageError


def test_no_space_left_names_the_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ah_ray.storage.local.store.os.fsync", full)
    mount = next(str(one) for one in tmp_path.parents if one.is_mount())
    with pytest.raises(StorageError, match=f"No space left.*make room on the disk of {mount}$"):
        storage.write_whole(str(tmp_path / "new" / "x"), b"x")
