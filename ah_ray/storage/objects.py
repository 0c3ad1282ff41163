"""Each operation on an object, passed to the store that its URI names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Protocol

from ah_ray.errors import ErrorKind, ObjectMissing, VideoError
from ah_ray.installation import missing_packages_as_errors
from ah_ray.storage.entry import Entry
from ah_ray.storage.local import store as local
from ah_ray.storage.local.errors import full_disk_named
from ah_ray.storage.uri import normalise, scheme


class _Store(Protocol):
    """The operations of a store: of local/, s3/, google/, azure/ and fsspec_store.py.

    URIs are normalised.
    """

    def list_pages(self, prefix: str) -> Iterator[list[Entry]]: ...
    def list_folders(self, prefix: str) -> Iterator[str]: ...
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
    def replace_file(self, uri: str, path: Path, etag: str | None) -> None: ...
    def create_exclusive(self, uri: str, data: bytes) -> str: ...
    def replace_if(self, uri: str, data: bytes, etag: str) -> str: ...
    def remove_if(self, uri: str, etag: str) -> None: ...
    def remove(self, uris: Iterable[str]) -> None: ...


def _store(uri: str) -> _Store:
    """Return the module of a URI's store. Only its use imports the libraries of a remote store."""
    kind = scheme(uri)
    if kind == "file":
        return local
    with missing_packages_as_errors():
        if kind == "s3":
            from ah_ray.storage.s3 import store as s3

            return s3
        if kind == "gs":
            from ah_ray.storage.google import store as google

            return google
        if kind == "az":
            from ah_ray.storage.azure import store as azure

            return azure
        from ah_ray.storage import fsspec_store

        return fsspec_store


_SIZES_ARE_EXACT = ("file", "s3", "gs", "az")


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    """Yield all objects below a folder, at any depth, about 1,000 at a time, sorted by key.

    Raise ObjectMissing if there is no such folder (on S3: if nothing is below it), ObjectDenied if
    it may not be listed. Objects that are added or removed meanwhile may be included or not.
    """
    uri = normalise(prefix)
    return _store(uri).list_pages(uri)


def list_folders(prefix: str) -> Iterator[str]:
    """Yield the names of the folders right below a folder, without opening any of them.

    Raise ObjectMissing if there is no such folder, ObjectDenied if it may not be listed.
    """
    uri = normalise(prefix)
    return _store(uri).list_folders(uri)


def stat(uri: str) -> Entry:
    """Return the entry of one object. Raise ObjectMissing or ObjectDenied."""
    uri = normalise(uri)
    return _store(uri).stat(uri)


def exists(uri: str) -> bool:
    """Return whether the object is there. Raise ObjectDenied or another StorageError."""
    try:
        stat(uri)
    except ObjectMissing:
        return False
    return True


def read_bytes(uri: str) -> bytes:
    """Return the content of a small object."""
    uri = normalise(uri)
    return _store(uri).read_bytes(uri)


def read_versioned(uri: str) -> tuple[bytes, str]:
    """Return the content of a small object, and the etag that `replace_if` and `remove_if` take."""
    uri = normalise(uri)
    return _store(uri).read_versioned(uri)


def read_range(uri: str, start: int, stop: int, *, etag: str | None = None) -> bytes:
    """Return the bytes from start to stop.

    Raise ObjectChanged if the object does not have this etag, where its store compares (S3, Google,
    Azure); others would need another request to find out.
    """
    uri = normalise(uri)
    return _store(uri).read_range(uri, start, stop, etag=etag)


def open_read(uri: str) -> BinaryIO:
    """Open a seekable file, for readers that read only parts (Parquet)."""
    uri = normalise(uri)
    return _store(uri).open_read(uri)


def download(
    uri: str,
    path: Path,
    *,
    etag: str | None,
    size_bytes: int | None,
    max_bytes: int | None = None,
    n_streams: int = 1,
) -> None:
    """Stream one object to the local file `path`, and verify its length.

    On S3, a large object is read by `n_streams` streams at most, each a range of it at a time.

    Raise ObjectChanged if the object does not have this etag and size, and VideoError(REFUSED),
    before reading, if it is larger than `max_bytes`. For local files, `local_path` avoids the copy.
    """
    uri = normalise(uri)
    if max_bytes is not None:
        known_bytes = stat(uri).size_bytes if size_bytes is None else size_bytes
        if known_bytes is not None and known_bytes > max_bytes:
            raise VideoError(
                ErrorKind.REFUSED, f"{known_bytes} bytes are over the limit max_bytes={max_bytes}"
            )
    store = _store(uri)
    # Only objects of other stores may be longer than their listing says.
    more = {} if scheme(uri) in _SIZES_ARE_EXACT else {"max_bytes": max_bytes}
    if scheme(uri) == "s3":
        more = {"n_streams": n_streams}
    with full_disk_named(path):
        store.download(uri, path, etag=etag, size_bytes=size_bytes, **more)


def write_whole(uri: str, data: bytes) -> None:
    """Write an object so that readers see all of it or nothing. Create folders as needed."""
    uri = normalise(uri)
    _store(uri).write_whole(uri, data)


def write_file(uri: str, path: Path) -> None:
    """Write the content of a local file as `write_whole` does. It need not fit into memory."""
    uri = normalise(uri)
    _store(uri).write_file(uri, path)


def replace_file(uri: str, path: Path, etag: str | None) -> None:
    """Replace the object that has this etag (from its Entry) by the content of a local file.

    With None, the object must not exist yet. Raise PreconditionFailed if the object has changed.
    """
    uri = normalise(uri)
    _store(uri).replace_file(uri, path, etag)


def create_exclusive(uri: str, data: bytes) -> str:
    """Write an object that does not exist yet. Return its etag for `replace_if`.

    Raise PreconditionFailed if it exists. No two writers may write the same `data` (include a run
    id): a writer whose response was lost recognises its own object by its content.
    """
    uri = normalise(uri)
    return _store(uri).create_exclusive(uri, data)


def replace_if(uri: str, data: bytes, etag: str) -> str:
    """Replace the object that has this etag. Return its new etag.

    `etag` comes from `read_versioned`, `create_exclusive` or this function; `data` differs from
    that of other writers. Raise PreconditionFailed if the object has changed, ObjectMissing if it
    no longer exists.
    """
    uri = normalise(uri)
    return _store(uri).replace_if(uri, data, etag)


def remove_if(uri: str, etag: str) -> None:
    """Remove the object if it still has this etag. Raise the errors of `replace_if`."""
    uri = normalise(uri)
    _store(uri).remove_if(uri, etag)


def remove(uris: Iterable[str]) -> None:
    """Remove objects, in bulk where the store can. Missing objects are no error."""
    for _, found in groupby(map(normalise, uris), key=scheme):
        same = list(found)
        _store(same[0]).remove(same)
