"""Any other store, by the file system that fsspec has for it (gs://, az://, memory://, …).

The common ground of these has no conditional write but "create", so two writers that meet within
the same instant are told apart only as far as the store's own driver does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from ah_ray.errors import (
    ConfigError,
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
    shown,
)
from ah_ray.storage import retry
from ah_ray.storage.entry import Entry
from ah_ray.storage.uri import as_folder, parent, scheme


def _files(uri: str) -> fsspec.AbstractFileSystem:
    name = scheme(uri)
    try:
        return fsspec.filesystem(name, use_listings_cache=False)
    except ImportError as error:
        raise ConfigError(f"{uri} needs a package that is not installed: {error}") from None


@contextmanager
def _told(doing: str, uri: str) -> Iterator[None]:
    what = f"{doing} {shown(uri)}"
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ObjectMissing(f"{what}: there is no such object") from error
    except PermissionError as error:
        raise ObjectDenied(f"{what}: {error}; give the job's account access") from error
    except FileExistsError as error:
        raise PreconditionFailed(f"{what}: it exists already") from error
    except (ConnectionError, TimeoutError) as error:
        raise retry.Transient(str(error) or type(error).__name__) from error
    except OSError as error:
        raise StorageError(f"{what}: {error}") from error


def _call(doing: str, uri: str, action) -> Any:
    """`action(file system, path)`, with retries."""

    def attempt():
        with _told(doing, uri):
            files = _files(uri)
            return action(files, files._strip_protocol(uri))

    return retry.call(attempt, f"{doing} {shown(uri)}")


def _entry(uri: str, key: str, found: dict) -> Entry:
    changed = _first(found, "mtime", "updated", "LastModified", "last_modified", "created")
    if isinstance(changed, int | float):
        changed = datetime.fromtimestamp(changed, UTC)
    size_bytes = found.get("size")
    etag = _first(found, "etag", "ETag", "md5Hash")
    etag = etag or hashlib.sha256(f"{size_bytes} {changed}".encode()).hexdigest()[:16]
    return Entry(
        uri=uri,
        key=key,
        size_bytes=size_bytes,
        etag=str(etag).strip('"'),
        last_modified=changed if isinstance(changed, datetime) else None,
    )


def _first(found: dict, *names: str) -> Any:
    """Drivers do not agree on what they call these."""
    return next((found[name] for name in names if found.get(name)), None)


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    """One page for each folder."""
    yield from _walk(as_folder(prefix), "")


def _walk(folder: str, key: str) -> Iterator[list[Entry]]:
    found = _call("listing", folder, lambda files, path: files.ls(path, detail=True))
    page, folders = [], []
    for child in sorted(found, key=lambda child: child["name"]):
        name = child["name"].rstrip("/").rpartition("/")[2]
        if child["type"] == "directory":
            folders.append(name + "/")
        else:
            page.append(_entry(folder + name, key + name, child))
    if page:
        yield page
    for name in folders:
        yield from _walk(folder + name, key + name)


def stat(uri: str) -> Entry:
    found = _call("reading", uri, lambda files, path: files.info(path))
    if found["type"] == "directory":
        raise ObjectMissing(f"reading {uri}: it is a folder")
    return _entry(uri, uri.rpartition("/")[2], found)


def read_bytes(uri: str) -> bytes:
    return _call("reading", uri, lambda files, path: files.cat_file(path))


def read_versioned(uri: str) -> tuple[bytes, str]:
    data = read_bytes(uri)
    return data, hashlib.sha256(data).hexdigest()[:32]


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    return _call("reading", uri, lambda files, path: files.cat_file(path, start, stop))


def open_read(uri: str) -> BinaryIO:
    return _call("reading", uri, lambda files, path: files.open(path, "rb"))


def download(uri: str, path: Path, *, etag: str | None, size_bytes: int | None) -> None:
    def copy(files, source_path):
        with files.open(source_path, "rb") as source, path.open("wb") as target:
            while piece := source.read(1 << 20):
                target.write(piece)
                if size_bytes is not None and target.tell() > size_bytes:  # it may never end
                    raise ObjectChanged(f"{shown(uri)} is longer than it was when it was listed")

    _call("reading", uri, copy)
    if size_bytes not in (None, path.stat().st_size) or etag not in (None, stat(uri).etag):
        raise ObjectChanged(f"{uri} is no longer the object that was listed")


def write_whole(uri: str, data: bytes) -> None:
    def write(files, path):
        files.makedirs(parent(path), exist_ok=True)
        files.pipe_file(path, data)

    _call("writing", uri, write)


def write_file(uri: str, path: Path) -> None:
    def write(files, target):
        files.makedirs(parent(target), exist_ok=True)
        files.put_file(str(path), target)

    _call("writing", uri, write)


def create_exclusive(uri: str, data: bytes) -> str:
    with suppress(ObjectMissing):
        stat(uri)
        raise PreconditionFailed(f"{uri} exists already")
    write_whole(uri, data)
    return hashlib.sha256(data).hexdigest()[:32]


def replace_if(uri: str, data: bytes, etag: str) -> str:
    _check_content(uri, etag)
    write_whole(uri, data)
    return hashlib.sha256(data).hexdigest()[:32]


def remove_if(uri: str, etag: str) -> None:
    _check_content(uri, etag)
    remove([uri])


def _check_content(uri: str, etag: str) -> None:
    if read_versioned(uri)[1] != etag:
        raise PreconditionFailed(f"{uri} was changed by another writer")


def remove(uris: Iterable[str]) -> None:
    for uri in uris:
        with suppress(ObjectMissing):
            _call("removing", uri, lambda files, path: files.rm_file(path))
