"""Disks that are really full: what was there stays, nothing is left, and the disk is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ah_ray import storage
from ah_ray.errors import StorageError

LARGE = b"x" * 2_000_000
FULL = "No space left .*make room on the disk of"


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def large_file(tmp_path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


@pytest.mark.parametrize("write", ["whole", "file", "replace file", "replace"])
def test_what_was_there_stays_and_the_disk_is_named(small_disk, large_file, write):
    uri = str(small_disk / "x")
    etag = storage.create_exclusive(uri, b"old")
    do = {
        "whole": lambda: storage.write_whole(uri, LARGE),
        "file": lambda: storage.write_file(uri, large_file),
        "replace file": lambda: storage.replace_file(uri, large_file, storage.stat(uri).etag),
        "replace": lambda: storage.replace_if(uri, LARGE, etag),
    }[write]
    with pytest.raises(StorageError, match=f"{FULL} {small_disk}$"):
        do()
    assert storage.read_bytes(uri) == b"old"
    assert names_in(small_disk) == {"x"}


def test_nothing_is_created(small_disk):
    with pytest.raises(StorageError, match="make room on the disk of"):
        storage.create_exclusive(str(small_disk / "x"), LARGE)
    assert names_in(small_disk) == set()


@pytest.mark.parametrize("place", ["local", "s3", "memory"])
def test_a_download_names_the_disk_that_it_fills(small_disk, tmp_path, place, request):
    """Not that of its source."""
    uri = {
        "local": lambda: str(tmp_path / "source"),
        "s3": lambda: f"s3://{request.getfixturevalue('bucket')}/source",
        "memory": lambda: "memory://full/source",
    }[place]()
    storage.write_whole(uri, LARGE)
    with pytest.raises(StorageError, match=f"{FULL} {small_disk}$"):
        storage.download(uri, small_disk / "copy", etag=None, size_bytes=None)
