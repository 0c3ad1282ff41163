"""Ranges of an object: what a header, or a sample of a tensor, is read by."""

import pytest

from ah_ray import storage
from ah_ray.errors import ObjectChanged


@pytest.fixture(params=["folder", "bucket", "memory"])
def place(request, tmp_path) -> str:
    if request.param == "bucket":
        return f"s3://{request.getfixturevalue('bucket')}"
    return str(tmp_path) if request.param == "folder" else f"memory://{tmp_path.name}"


def test_a_range(place):
    uri = storage.join(place, "a")
    storage.write_whole(uri, bytes(range(200)))
    etag = storage.stat(uri).etag
    assert storage.read_range(uri, 50, 60) == bytes(range(50, 60))
    assert storage.read_range(uri, 190, 200, etag=etag) == bytes(range(190, 200))


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_range_of_another_version(kind, request, tmp_path):
    place = tmp_path if kind == "folder" else f"s3://{request.getfixturevalue('bucket')}"
    uri = storage.join(str(place), "a")
    storage.write_whole(uri, bytes(200))
    etag = storage.stat(uri).etag
    storage.write_whole(uri, bytes(300))
    with pytest.raises(ObjectChanged):
        storage.read_range(uri, 0, 10, etag=etag)
