"""S3 over real HTTP: pages, faults that pass, faults that do not."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from datetime import UTC, datetime
from functools import partial

import pytest

from ah_ray import storage
from ah_ray.errors import (
    ConfigError,
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
)
from ah_ray.storage import retry
from ah_ray.storage.s3 import parts, store
from ah_ray.storage.s3.client import _parse_timestamp


@pytest.fixture
def quick():
    with retry.patience(retry.Patience(attempts=4, first_pause_s=0.01, longest_pause_s=0.02)):
        yield


def test_a_listing_goes_on_after_the_first_page(filled_bucket, proxy):
    pages = list(storage.list_pages(f"s3://{filled_bucket}/videos"))
    assert [len(page) for page in pages] == [999, 101]
    entries = [entry for page in pages for entry in page]
    assert [entry.key for entry in entries] == [f"{n:05}.mp4" for n in range(1_100)]
    assert [entry.size_bytes for entry in entries] == [n % 7 for n in range(1_100)]
    assert entries[8] == storage.stat(entries[8].uri)
    assert len([path for _, path in proxy.requests if "list-type=2" in path]) == 2


def test_more_folders_than_one_page_holds(bucket, s3_client, proxy, monkeypatch):
    """And not one of the objects in them is listed."""
    monkeypatch.setattr("ah_ray.storage.s3.store._PAGE", 4)
    for n in range(20):
        s3_client.put_object(Bucket=bucket, Key=f"place/{n // 2}/{n}", Body=b"")
    assert list(storage.list_folders(f"s3://{bucket}/place")) == [f"{n}" for n in range(10)]
    assert len(proxy.requests) == 3


def test_many_are_removed_by_few_requests(s3_client, bucket, proxy):
    s3_client.put_object(Bucket=bucket, Key="0", Body=b"")
    s3_client.put_object(Bucket=bucket, Key="1050", Body=b"")
    storage.remove(f"s3://{bucket}/{n}" for n in range(1_100))
    assert [method for method, _ in proxy.requests] == ["POST", "POST"]
    assert "Contents" not in s3_client.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("fault", [500, 503, "reset", "short"])
def test_faults_that_pass_are_tried_again(fault, bucket, proxy, quick, tmp_path):
    uri = f"s3://{bucket}/x"
    storage.write_whole(uri, b"content" * 1000)
    entry = storage.stat(uri)
    for read in (
        lambda: list(storage.list_pages(f"s3://{bucket}")),
        lambda: storage.stat(uri),
        lambda: storage.read_bytes(uri),
        lambda: storage.open_read(uri).read(),
        lambda: storage.download(uri, tmp_path / "x", etag=entry.etag, size_bytes=7000),
    ):
        before = retry.count_retries()
        proxy.fail(2, fault)
        read()
        if fault in (500, 503):  # aiohttp hides a reset, and HEAD's answer has nothing to cut
            assert retry.count_retries() - before == 2
    assert (tmp_path / "x").read_bytes() == b"content" * 1000
    for write in (
        partial(storage.write_whole, uri, b"new"),
        partial(storage.create_exclusive, uri + "2", b"new"),
        partial(storage.remove, [uri]),
    ):
        proxy.fail(2, fault)
        write()
    assert storage.read_bytes(uri + "2") == b"new"
    assert not storage.exists(uri)


def test_a_download_goes_on_where_it_was_cut(bucket, proxy, quick, tmp_path):
    data = bytes(range(251)) * 40_000  # 10 MB
    storage.write_whole(f"s3://{bucket}/x", data)
    proxy.requests.clear()
    proxy.fail(6, "short", method="GET")  # half of what is left, more often than patience lasts
    storage.download(f"s3://{bucket}/x", tmp_path / "x", etag=None, size_bytes=len(data))
    assert (tmp_path / "x").read_bytes() == data
    ranges = [path for method, path in proxy.requests if method == "GET"]
    assert len(ranges) == 7


def test_a_fault_that_stays_ends_in_one_sentence(bucket, proxy, quick):
    proxy.fail(100, 503)
    with pytest.raises(StorageError, match=r"^reading .*/x failed 4 times in \d s: SlowDown"):
        storage.read_bytes(f"s3://{bucket}/x")


def test_denied_is_not_missing_and_not_tried_again(bucket, proxy, tmp_path):
    uri = f"s3://{bucket}/x"
    proxy.fail(100, 403)
    for touch in (
        lambda: storage.stat(uri),
        lambda: storage.read_bytes(uri),
        lambda: storage.download(uri, tmp_path / "x", etag=None, size_bytes=None),
        lambda: list(storage.list_pages(uri)),
        lambda: storage.write_whole(uri, b""),
        lambda: storage.create_exclusive(uri, b""),
    ):
        proxy.requests.clear()
        with pytest.raises(ObjectDenied, match="give the job's role access"):
            touch()
        assert len(proxy.requests) == 1


def test_a_write_whose_answer_was_lost_is_known_as_ours(bucket, proxy, quick):
    uri = f"s3://{bucket}/lease.json"
    proxy.fail(1, "lost", method="PUT")
    etag = storage.create_exclusive(uri, b"ours")
    proxy.fail(1, "lost", method="PUT")
    etag = storage.replace_if(uri, b"ours again", etag)
    assert storage.read_versioned(uri) == (b"ours again", etag)
    proxy.fail(1, 503, method="PUT")
    with pytest.raises(PreconditionFailed):
        storage.create_exclusive(uri, b"of another")


def test_bad_places_are_reported_within_seconds(s3_server, proxy, monkeypatch):
    def error_of(uri: str) -> str:
        began = time.monotonic()
        with pytest.raises(ConfigError) as caught:
            storage.check_readable(uri)
        with pytest.raises(ConfigError):
            storage.check_writable(uri)
        assert time.monotonic() - began < 30
        return str(caught.value)

    assert "NoSuchBucket" in error_of("s3://no-such-bucket/videos")
    assert "allows no such name" in error_of("s3://not a bucket/videos")
    proxy.fail(1000, 403)
    assert "check AWS_PROFILE" in error_of("s3://test-filled/videos")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "AWS_ENDPOINT_URL" in error_of("s3://test-filled/videos")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials were found; set AWS_PROFILE or" in error_of("s3://test-filled/videos")


def test_a_store_that_never_answers_is_given_up_within_seconds(bucket, proxy):
    proxy.fail(1000, "never")
    began = time.monotonic()
    with pytest.raises(ConfigError, match="cannot be read"):
        storage.check_readable(f"s3://{bucket}/videos")
    assert time.monotonic() - began < 30


def _reads(uri: str, data: bytes) -> None:
    assert storage.read_bytes(uri) == data


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_works_in_processes_that_come_after(method, bucket):
    uri = f"s3://{bucket}/x"
    storage.write_whole(uri, b"content")
    process = multiprocessing.get_context(method).Process(target=_reads, args=(uri, b"content"))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    _reads(uri, b"content")


def test_a_bucket_is_no_object(bucket):
    with pytest.raises(ObjectMissing, match="is a bucket, not an object"):
        storage.stat(f"s3://{bucket}")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_fault_in_five_calls_changes_nothing(seed, bucket, proxy, tmp_path):
    dice = random.Random(seed)
    faults = [500, 503, "reset", "short"]
    proxy.rule = lambda *_: dice.choice(faults) if dice.random() < 0.2 else None
    data = {f"{n:02}": dice.randbytes(dice.randrange(200_000)) for n in range(40)}
    with retry.patience(retry.Patience(first_pause_s=0.005, longest_pause_s=0.05)):
        for key, content in data.items():
            storage.write_whole(f"s3://{bucket}/{key}", content)
        (page,) = storage.list_pages(f"s3://{bucket}")
        assert [(e.key, e.size_bytes) for e in page] == [(k, len(c)) for k, c in data.items()]
        for entry in page:
            copy = tmp_path / entry.key
            storage.download(entry.uri, copy, etag=entry.etag, size_bytes=entry.size_bytes)
            assert copy.read_bytes() == data[entry.key]


def test_a_byte_that_changed_on_the_way_is_noticed(bucket, proxy, quick, tmp_path):
    uri = f"s3://{bucket}/x"
    storage.write_whole(uri, b"content" * 1000)
    before = retry.count_retries()
    proxy.fail(1, "corrupt", "GET")
    assert storage.read_bytes(uri) == b"content" * 1000
    proxy.fail(1, "corrupt", "GET")
    storage.download(uri, tmp_path / "x", etag=None, size_bytes=None)
    assert (tmp_path / "x").read_bytes() == b"content" * 1000
    assert retry.count_retries() - before == 2


LARGE = b"0123456789abcdef" * (800_000)  # 12.8 MB; S3's least part is 5 MiB


@pytest.fixture
def small_parts(monkeypatch):
    for module in (store, parts):
        monkeypatch.setattr(module, "PART_BYTES", 5 << 20)


@pytest.mark.parametrize("fault", [None, 500, "reset", "lost"])
def test_a_large_file_goes_in_parts(fault, bucket, proxy, quick, tmp_path, small_parts):
    (tmp_path / "large").write_bytes(LARGE)
    uri = f"s3://{bucket}/large"
    seen: set[str] = set()

    def each_part_and_its_end_fail_once(method: str, path: str, _count: int):
        part = path.split("partNumber=")[-1] if method in ("PUT", "POST") else ""
        if fault is None or not part or "uploads" in path or part in seen:
            return None
        seen.add(part)
        return fault

    proxy.rule = each_part_and_its_end_fail_once
    storage.write_file(uri, tmp_path / "large")
    assert storage.read_bytes(uri) == LARGE
    assert sum("partNumber" in path for _, path in proxy.requests) >= 3
    assert fault is None or len(seen) == 4, "three parts, and the end"


def test_a_large_file_that_cannot_be_sent_leaves_nothing(
    s3_client, bucket, proxy, quick, tmp_path, small_parts
):
    (tmp_path / "large").write_bytes(LARGE)
    proxy.rule = lambda _method, path, _count: 500 if "partNumber=2" in path else None
    with pytest.raises(StorageError, match=r"writing s3://.*/large failed 4 times"):
        storage.write_file(f"s3://{bucket}/large", tmp_path / "large")
    assert not storage.exists(f"s3://{bucket}/large")
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=bucket)


def test_times_are_read_as_botocore_reads_them():
    iso, http = "2026-01-02T03:04:05.678Z", "Fri, 02 Jan 2026 03:04:05 GMT"
    assert _parse_timestamp(iso) == datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    assert _parse_timestamp(http) == datetime(2026, 1, 2, 3, 4, 5, 0, UTC)


def test_halves_of_two_versions_are_never_joined(bucket, proxy, quick, tmp_path):
    uri = f"s3://{bucket}/x"
    storage.write_whole(uri, b"1" * 3_000_000)

    def changes_after_the_first_half(method: str, _path: str, _count: int):
        if method != "GET":
            return None
        proxy.rule = lambda *_: None
        threading.Timer(0, storage.write_whole, (uri, b"2" * 3_000_000)).start()
        return "short"

    proxy.rule = changes_after_the_first_half
    with retry.patience(retry.Patience(first_pause_s=1)), pytest.raises(ObjectChanged):
        storage.download(uri, tmp_path / "x", etag=None, size_bytes=None)


def test_an_archived_object_says_what_restores_it(bucket, s3_client, proxy):
    s3_client.put_object(Bucket=bucket, Key="x", Body=b"x", StorageClass="GLACIER")
    with pytest.raises(ObjectDenied, match=r"is archived .*aws s3api restore-object"):
        storage.read_bytes(f"s3://{bucket}/x")


def test_credentials_that_are_renewed_in_their_file_are_read_again(
    bucket, tmp_path, monkeypatch, proxy
):
    file = tmp_path / "credentials"

    def write(key: str, mtime: float) -> None:
        file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=secret\n")
        os.utime(file, (mtime, mtime))

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    write("first", 1_000_000)
    storage.write_whole(f"s3://{bucket}/x", b"x")
    assert "Credential=first/" in proxy.authorization
    write("second", 2_000_000)
    assert storage.read_bytes(f"s3://{bucket}/x") == b"x"
    assert "Credential=second/" in proxy.authorization
