"""A large object of S3 that several streams write to one file at the same time."""

import random
import threading

import pytest

from ah_ray import storage
from ah_ray.errors import ObjectChanged, ObjectDenied
from ah_ray.storage import retry
from ah_ray.storage.s3 import download

PART = 64 << 10
DATA = random.Random(1).randbytes(5 * PART + 1_000)


@pytest.fixture
def uri(bucket, proxy, monkeypatch) -> str:
    monkeypatch.setattr(download, "PART_BYTES", PART)
    storage.write_whole(f"s3://{bucket}/x", DATA)
    proxy.requests.clear()
    return f"s3://{bucket}/x"


@pytest.fixture
def quick():
    with retry.patience(retry.Patience(first_pause_s=0.005, longest_pause_s=0.05)):
        yield


def fetch(uri: str, path, n_streams: int = 3, size_bytes: int = len(DATA)) -> bytes:
    etag = storage.stat(uri).etag
    storage.download(uri, path, etag=etag, size_bytes=size_bytes, n_streams=n_streams)
    return path.read_bytes()


def test_each_part_comes_once_and_several_at_the_same_time(uri, proxy, tmp_path):
    three_are_there = threading.Barrier(3)

    def hold(method: str, _path: str) -> None:
        if method == "GET":
            three_are_there.wait(timeout=60)

    proxy.hold = hold
    assert fetch(uri, tmp_path / "x") == DATA
    assert [method for method, _ in proxy.requests].count("GET") == 6


def test_a_small_object_and_one_stream_take_one_request(uri, proxy, tmp_path, bucket):
    assert fetch(uri, tmp_path / "x", n_streams=1) == DATA
    assert [method for method, _ in proxy.requests].count("GET") == 1
    storage.write_whole(f"s3://{bucket}/small", DATA[:PART])
    proxy.requests.clear()
    assert fetch(f"s3://{bucket}/small", tmp_path / "y", size_bytes=PART) == DATA[:PART]
    assert [method for method, _ in proxy.requests].count("GET") == 1


@pytest.mark.parametrize("fault", [503, "reset", "short"])
def test_a_stream_that_breaks_off_goes_on(uri, proxy, tmp_path, fault, quick):
    proxy.fail(5, fault, method="GET")
    assert fetch(uri, tmp_path / "x") == DATA


def test_another_version_in_between_is_noticed(uri, proxy, tmp_path):
    etag = storage.stat(uri).etag
    storage.write_whole(uri, DATA[::-1])
    with pytest.raises(ObjectChanged):
        storage.download(uri, tmp_path / "x", etag=etag, size_bytes=len(DATA), n_streams=3)


def test_the_first_error_ends_all_streams(uri, proxy, tmp_path):
    etag = storage.stat(uri).etag
    proxy.fail(100, 403, method="GET")
    proxy.requests.clear()
    with pytest.raises(ObjectDenied):
        storage.download(uri, tmp_path / "x", etag=etag, size_bytes=len(DATA), n_streams=2)
    assert len(proxy.requests) <= 4  # those that were under way
