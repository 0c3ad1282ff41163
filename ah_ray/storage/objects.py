"""Each operation on an object, handed to the store that its URI names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Protocol

from ah_ray.errors import ErrorKind, ObjectMissing, VideoError
from ah_ray.storage import local, other, s3
from ah_ray.storage.entry import Entry
from ah_ray.storage.uri import normalise, scheme


class _Store(Protocol):
    """What each of local.py, s3.py and other.py offers. URIs come to it normalised."""

    def list_pages(self, prefix: str) -> Iterator[list[Entry]]: ...
    def stat(self, uri: str) -> Entry: ...
    def read_bytes(self, uri: str) -> bytes: ...
    def read_versioned(self, uri: str) -> tuple[bytes, str]: ...
    def read_range(self, uri: str, start: int, stop: int, *, etag: str | None) -> bytes: ...
    def open_read(self, uri: str) -> BinaryIO: ...
    def download(
        self, uri: str, path: Path, *, etag: str | None, size_bytes: int | None
    ) -> None: ...
    def write_whole(self, uri: str, data: bytes) -> None: ...
    def write_file(self, uri: str, path: Path) -> None: ...
    def create_exclusive(self, uri: str, data: bytes) -> str: ...
    def replace_if(self, uri: str, data: bytes, etag: str) -> str: ...
    def remove_if(self, uri: str, etag: str) -> None: ...
    def remove(self, uris: Iterable[str]) -> None: ...


def _store(uri: str) -> _Store:
    return {"file": local, "s3": s3}.get(scheme(uri), other)


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    """All objects below a folder, at any depth, about 1,000 at a time, in the order of their keys.

    Raises ObjectMissing if there is no such folder (on S3: if nothing is below it), ObjectDenied
    if it may not be listed. Objects that come or go while it lists may be in it or not.
    """
    uri = normalise(prefix)
    return _store(uri).list_pages(uri)


def stat(uri: str) -> Entry:
    """What is known of one object. Raises ObjectMissing or ObjectDenied."""
    uri = normalise(uri)
    return _store(uri).stat(uri)


def exists(uri: str) -> bool:
    try:
        stat(uri)
    except ObjectMissing:
        return False
    return True


def read_bytes(uri: str) -> bytes:
    """The whole of a small object."""
    uri = normalise(uri)
    return _store(uri).read_bytes(uri)


def read_versioned(uri: str) -> tuple[bytes, str]:
    """The whole of a small object, and the etag that `replace_if` and `remove_if` take."""
    uri = normalise(uri)
    return _store(uri).read_versioned(uri)


def read_range(uri: str, start: int, stop: int, *, etag: str | None = None) -> bytes:
    """The bytes from start to stop. Raises ObjectChanged if it is not the object with this etag
    (where a store can tell without another request: S3)."""
    uri = normalise(uri)
    return _store(uri).read_range(uri, start, stop, etag=etag)


def open_read(uri: str) -> BinaryIO:
    """A seekable file, for readers that pick what they need (Parquet)."""
    uri = normalise(uri)
    return _store(uri).open_read(uri)


def download(
    uri: str,
    path: Path,
    *,
    etag: str | None,
    size_bytes: int | None,
    max_bytes: int | None = None,
) -> None:
    """Copies one object to the local file `path`, streamed, its length verified.

    Raises ObjectChanged if it is not, or no longer, the one with this etag (and size), and
    VideoError(REFUSED) before anything is read if it is larger than `max_bytes`. For local
    sources, `local_path` saves the copy.
    """
    uri = normalise(uri)
    if max_bytes is not None:
        known_bytes = stat(uri).size_bytes if size_bytes is None else size_bytes
        if known_bytes is not None and known_bytes > max_bytes:
            raise VideoError(
                ErrorKind.REFUSED, f"{known_bytes} bytes are over the limit max_bytes={max_bytes}"
            )
    _store(uri).download(uri, path, etag=etag, size_bytes=size_bytes)


def write_whole(uri: str, data: bytes) -> None:
    """Writes an object so that a reader meets all of it or none. Folders are made as needed."""
    uri = normalise(uri)
    _store(uri).write_whole(uri, data)


def write_file(uri: str, path: Path) -> None:
    """The same with the content of a local file, which need not fit into memory."""
    uri = normalise(uri)
    _store(uri).write_file(uri, path)


def create_exclusive(uri: str, data: bytes) -> str:
    """Writes an object that is not there yet; returns its etag for `replace_if`.

    Raises PreconditionFailed if it is there. No two writers may bring the same `data` (a run's
    id in it will do): by that a writer knows its own object, if the answer to its write was lost.
    """
    uri = normalise(uri)
    return _store(uri).create_exclusive(uri, data)


def replace_if(uri: str, data: bytes, etag: str) -> str:
    """Replaces the object that has this etag; returns the new one.

    `etag` comes from `read_versioned`, `create_exclusive` or this, and `data` is unlike that
    of other writers. Raises PreconditionFailed if the object is another by now, ObjectMissing if
    it is gone.
    """
    uri = normalise(uri)
    return _store(uri).replace_if(uri, data, etag)


def remove_if(uri: str, etag: str) -> None:
    """Removes the object if it still has this etag. Raises as `replace_if` does."""
    uri = normalise(uri)
    _store(uri).remove_if(uri, etag)


def remove(uris: Iterable[str]) -> None:
    """Removes objects, in bulk where the store can. What is not there is fine."""
    for _, found in groupby(map(normalise, uris), key=scheme):
        same = list(found)
        _store(same[0]).remove(same)
