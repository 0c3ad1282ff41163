"""What every store promises: a local folder, S3 over HTTP, and one that fsspec brings."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ah_ray import storage
from ah_ray.errors import ObjectChanged, ObjectMissing, PreconditionFailed, VideoError
from ah_ray.storage import join

ODD_NAMES = [
    "a b.mp4", "it's \"q\".mp4", "100%.mp4", "%20.mp4", "a#b.mp4", "c*[x]{y}.mp4", "why?.mp4",
    "?versionId=3.mp4", "é漢字🎬.mp4", "e\u0301.mp4", "-lead.mp4", "~x.mp4", "dots...",
    "a+b&c=d;e.mp4",
    "back\\slash.mp4", "tab\there.mp4", "a::b.mp4", " spaces ", "_x.mp4", ".x.mp4",
    "deep/er/a b/%41.mp4",
]  # fmt: skip


def keys(prefix: str) -> list[str]:
    return [entry.key for page in storage.list_pages(prefix) for entry in page]


def test_odd_names_are_kept_as_they_are_everywhere(folder, tmp_path):
    # fsspec reads '::' as a chain of URLs, in all but the stores that we speak to ourselves, and
    # Azure reads '\\' as '/'
    unknown = {"memory": "::", "az": "\\"}.get(folder.partition(":")[0], "\0")
    names = [name for name in ODD_NAMES if unknown not in name]
    for name in names:
        storage.write_whole(join(folder, name), name.encode())
    listed = {entry.key: entry for page in storage.list_pages(folder) for entry in page}
    assert sorted(listed) == sorted(names)
    for name in names:
        entry = storage.stat(listed[name].uri)
        assert (entry.etag, entry.size_bytes) == (listed[name].etag, len(name.encode()))
        assert entry.key == name.rpartition("/")[2]
        assert storage.read_bytes(entry.uri) == name.encode()
        storage.download(entry.uri, tmp_path / "copy", etag=entry.etag, size_bytes=entry.size_bytes)
        assert (tmp_path / "copy").read_bytes() == name.encode()
    storage.remove([join(folder, name) for name in names])
    assert not any(storage.exists(join(folder, name)) for name in names)


def test_a_folder_is_not_another_whose_name_begins_alike(folder):
    storage.write_whole(join(folder, "video/a.mp4"), b"")
    storage.write_whole(join(folder, "video2/b.mp4"), b"")
    storage.write_whole(join(folder, "video.mp4"), b"")
    assert keys(join(folder, "video")) == keys(join(folder, "video") + "/") == ["a.mp4"]


def test_folders_right_below_a_folder(folder):
    for key in ("a/1", "a/deep/2", "b c%20/3", "file", "z.parquet"):
        storage.write_whole(storage.join(folder, key), b"x")
    storage.write_whole(f"{folder}-beside/d/4", b"x")
    assert list(storage.list_folders(folder)) == ["a", "b c%20"]
    assert list(storage.list_folders(storage.join(folder, "a"))) == ["deep"]


def test_a_file_becomes_an_object(folder, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    storage.write_file(join(folder, "deep/x"), tmp_path / "file")
    assert storage.read_bytes(join(folder, "deep/x")) == b"content"
    (tmp_path / "file").write_bytes(b"new")
    storage.write_file(join(folder, "deep/x"), tmp_path / "file")
    assert storage.read_bytes(join(folder, "deep/x")) == b"new"
    assert keys(folder) == ["deep/x"]


def test_an_entry_tells_the_version(folder):
    uri = join(folder, "x.mp4")
    storage.write_whole(uri, b"one")
    first = storage.stat(uri)
    assert abs(first.last_modified - datetime.now(UTC)) < timedelta(minutes=1)
    time.sleep(0.02)
    storage.write_whole(uri, b"two")
    assert storage.stat(uri).etag != first.etag
    assert '"' not in first.etag


def test_what_is_missing_is_reported_with_its_place(folder, tmp_path):
    uri = join(folder, "none.mp4")
    for look in (storage.stat, storage.read_bytes, storage.read_versioned, storage.open_read, keys):
        with pytest.raises(ObjectMissing, match=r"none\.mp4"):
            look(uri)
    with pytest.raises(ObjectMissing, match=r"none\.mp4"):
        storage.download(uri, tmp_path / "copy", etag=None, size_bytes=None)
    assert not storage.exists(uri)
    storage.remove([uri])


def test_a_changed_object_is_not_taken_for_the_listed_one(folder, tmp_path):
    uri = join(folder, "x.mp4")
    storage.write_whole(uri, b"one")
    listed = storage.stat(uri)
    time.sleep(0.02)
    storage.write_whole(uri, b"two")
    with pytest.raises(ObjectChanged, match=r"x\.mp4"):
        storage.download(uri, tmp_path / "copy", etag=listed.etag, size_bytes=3)
    with pytest.raises(ObjectChanged, match=r"x\.mp4"):
        storage.download(uri, tmp_path / "copy", etag=None, size_bytes=4)


def test_what_grows_without_end_fills_no_disk(folder, tmp_path):
    uri = join(folder, "x.mp4")
    storage.write_whole(uri, bytes(8 << 20))
    with pytest.raises(ObjectChanged, match=r"x\.mp4"):
        storage.download(uri, tmp_path / "copy", etag=None, size_bytes=1)
    copy = tmp_path / "copy"
    assert not copy.exists() or copy.stat().st_size <= 2 << 20


def test_too_large_is_refused_before_it_is_read(folder, tmp_path):
    uri = join(folder, "x.mp4")
    storage.write_whole(uri, b"12345")
    with pytest.raises(VideoError, match="5 bytes are over the limit max_bytes=4") as caught:
        storage.download(uri, tmp_path / "copy", etag=None, size_bytes=None, max_bytes=4)
    assert caught.value.kind == "refused"
    assert not (tmp_path / "copy").exists()
    storage.download(uri, tmp_path / "copy", etag=None, size_bytes=None, max_bytes=5)


def test_large_objects_are_whole(folder, tmp_path):
    data = bytes(range(256)) * 4096 * 9 + b"odd end"
    storage.write_whole(join(folder, "large"), data)
    storage.download(join(folder, "large"), tmp_path / "copy", etag=None, size_bytes=len(data))
    assert (tmp_path / "copy").read_bytes() == data


def test_parquet_readers_can_seek(folder):
    table = pa.table({"n": list(range(300_000))})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=100_000)
    storage.write_whole(join(folder, "t.parquet"), sink.getvalue())
    with storage.open_read(join(folder, "t.parquet")) as file:
        parquet = pq.ParquetFile(file)
        assert parquet.read_row_group(2).column("n")[0].as_py() == 200_000
        assert parquet.read() == table


def test_writes_with_a_condition(folder):
    uri = join(folder, "lease.json")
    etag = storage.create_exclusive(uri, b"one")
    assert storage.read_versioned(uri) == (b"one", etag)
    with pytest.raises(PreconditionFailed, match=r"lease\.json"):
        storage.create_exclusive(uri, b"other")
    second = storage.replace_if(uri, b"two", etag)
    assert second != etag
    with pytest.raises(PreconditionFailed, match=r"lease\.json"):
        storage.replace_if(uri, b"x", etag)
    assert storage.read_bytes(uri) == b"two"
    storage.remove([uri])
    with pytest.raises(ObjectMissing):
        storage.replace_if(uri, b"x", second)


def test_removal_with_a_condition(folder):
    conditional = storage.check_conditions(folder)
    if not conditional and not folder.startswith(("gs:", "s3:")):
        pytest.fail("only fake-gcs-server and Ceph's gateway ignore the condition")
    uri = join(folder, "lease.json")
    first = storage.create_exclusive(uri, b"one")
    second = storage.replace_if(uri, b"two", first)
    if conditional:
        with pytest.raises(PreconditionFailed, match=r"lease\.json"):
            storage.remove_if(uri, first)
        assert storage.read_bytes(uri) == b"two"
    storage.remove_if(uri, second)
    assert not storage.exists(uri)
    if conditional:
        with pytest.raises(ObjectMissing):
            storage.remove_if(uri, second)


@pytest.mark.parametrize("where", ["local", "s3"])
def test_of_many_writers_at_once_one_wins(where, tmp_path, request):
    if where == "s3":
        request.getfixturevalue("proxy")  # one request at a time: moto alone is not atomic
        folder = f"s3://{request.getfixturevalue('bucket')}"
    else:
        folder = str(tmp_path)

    def wins(write, *args) -> bool:
        try:
            write(*args)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        for turn in range(5):
            uri = join(folder, f"{turn}.json")
            mine = [str(n).encode() for n in range(8)]
            assert sum(threads.map(partial(wins, storage.create_exclusive, uri), mine)) == 1
            _, etag = storage.read_versioned(uri)
            replace = partial(storage.replace_if, uri, etag=etag)
            assert sum(threads.map(partial(wins, replace), (b"new " + n for n in mine))) == 1
