"""Any other store, through its fsspec file system (gs://, az://, memory://, …).

Of their common interface, only the creation of an object can be conditional, and that as far as the
driver of the store leaves it to the store. Replacing and removing look first, and then write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import fsspec

from ah_ray.errors import (
    AhRayError,
    ConfigError,
    ErrorKind,
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
    VideoError,
)
from ah_ray.naming import name_in_message
from ah_ray.storage import retry
from ah_ray.storage.entry import Entry
from ah_ray.storage.redirects import ONE_HOST, find_redirect
from ah_ray.storage.uri import as_folder, parent, scheme

_WEB = ("http", "https")
_PAGE = 1_000
_AT_ONCE = 16  # requests for the sizes and versions of the files in one folder
_KNOWN_BY_STATUS = {
    401: ObjectDenied,
    403: ObjectDenied,
    404: ObjectMissing,
    409: PreconditionFailed,
    410: ObjectMissing,
    412: PreconditionFailed,
}
_MAY_PASS_STATUS = {408, 425, 429}


def _files(uri: str) -> fsspec.AbstractFileSystem:
    """Return the driver of a URI's scheme, connected to the host or account that the URI names."""
    name = scheme(uri)
    try:
        driver = fsspec.get_filesystem_class(name)
        settings = driver._get_kwargs_from_urls(uri) | (ONE_HOST if name in _WEB else {})
        return driver(use_listings_cache=False, **settings)
    except ImportError as error:
        raise ConfigError(
            f"{name_in_message(uri)} needs a package that is not installed: {error}"
        ) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{name_in_message(uri)} cannot be opened: {error}; {name}:// needs an account or a "
            "host, in the URI or in the settings that its fsspec driver reads"
        ) from None


@contextmanager
def _translate_errors(doing: str, uri: str) -> Iterator[None]:
    what = f"{doing} {name_in_message(uri)}"
    try:
        yield
    except OSError as error:
        if (redirected := find_redirect(error)) is None:
            raise _translate_error(what, error) from error
        raise ObjectDenied(
            f"{what}: {redirected}, which is not followed; give the URL that it leads to"
        ) from error
    except (AhRayError, retry.Transient):
        raise
    except Exception as error:  # drivers also raise the errors of the libraries that they use
        raise _translate_foreign_error(what, error) from error


def _translate_foreign_error(what: str, error: Exception) -> Exception:
    """Return the error of errors.py for one of a driver's library that is no OSError.

    Such libraries (of Azure, of Google, aiohttp) put the HTTP status into their errors, under one
    of three names.
    """
    said = " ".join(str(error).split())[:300] or type(error).__name__
    numbers = (getattr(error, name, None) for name in ("status_code", "code", "status"))
    status = next((number for number in numbers if isinstance(number, int)), None)
    if status in _MAY_PASS_STATUS or (status is not None and status >= 500):
        return retry.Transient(said)
    if status in _KNOWN_BY_STATUS:
        return _KNOWN_BY_STATUS[status](f"{what}: {said}")
    if isinstance(error, aiohttp.ClientError | TimeoutError):
        return retry.Transient(said)
    return StorageError(f"{what}: {type(error).__name__}: {said}")


def _translate_error(what: str, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return ObjectMissing(f"{what}: there is no such object")
    if isinstance(error, PermissionError):
        return ObjectDenied(f"{what}: {error}; give the job's account access")
    if isinstance(error, FileExistsError):
        return PreconditionFailed(f"{what}: it exists already")
    if isinstance(error, ConnectionError | TimeoutError):
        return retry.Transient(str(error) or type(error).__name__)
    return StorageError(f"{what}: {error}")


def _call(doing: str, uri: str, action: Callable[[fsspec.AbstractFileSystem, str], Any]) -> Any:
    """Return `action(file system, path)`, with retries."""

    def attempt() -> Any:
        with _translate_errors(doing, uri):
            files = _files(uri)
            return action(files, files._strip_protocol(uri))

    return retry.retry_call(attempt, f"{doing} {name_in_message(uri)}")


def _entry(uri: str, key: str, found: dict[str, Any]) -> Entry:
    changed = _first_known(
        found, "mtime", "updated", "LastModified", "last_modified", "Last-Modified", "created"
    )
    if isinstance(changed, int | float):
        changed = datetime.fromtimestamp(changed, UTC)
    elif isinstance(changed, str):
        with suppress(ValueError):
            changed = parsedate_to_datetime(changed)
    size_bytes = found.get("size")
    etag = _first_known(found, "etag", "ETag", "md5Hash")
    etag = etag or hashlib.sha256(f"{size_bytes} {changed}".encode()).hexdigest()[:16]
    return Entry(
        uri=uri,
        key=key,
        size_bytes=size_bytes,
        etag=str(etag).strip('"'),
        last_modified=changed if isinstance(changed, datetime) else None,
    )


def _first_known(found: dict[str, Any], *names: str) -> Any:
    """Return the first of these fields that is set. Drivers use different names."""
    return next((found[name] for name in names if found.get(name)), None)


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    """Yield one page for each folder."""
    yield from _walk(as_folder(prefix), "")


def _walk(folder: str, key: str) -> Iterator[list[Entry]]:
    found = _call("listing", folder, lambda files, path: files.ls(path, detail=True))
    page: list[Entry] = []
    folders: list[str] = []
    for child in sorted(found, key=lambda child: child["name"]):
        name = child["name"].rstrip("/").rpartition("/")[2]
        if child["type"] == "directory":
            folders.append(name + "/")
        else:
            page.append(_entry(folder + name, key + name, child))
    if scheme(folder) in _WEB:
        yield from _complete(page)
    elif page:
        yield page
    for name in folders:
        yield from _walk(folder + name, key + name)


def _complete(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries, page by page, with the size and version that a request for each gives.

    A page of links, which is all that http has for a listing, has neither. The versions of a
    listing and of a later `stat` must be the same, or each recording would seem to have changed.
    """
    patience = retry.current_patience()  # of this thread, for the others

    def look_up(entry: Entry) -> Entry:
        try:
            with retry.patience(patience):
                return replace(stat(entry.uri), key=entry.key)
        except (ObjectMissing, ObjectDenied) as error:
            return replace(entry, etag=None, problem_kind=error.kind, problem=str(error))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(entries), _PAGE):
            yield list(pool.map(look_up, entries[start : start + _PAGE]))


def list_folders(prefix: str) -> Iterator[str]:
    found = _call("listing", prefix, lambda files, path: files.ls(path, detail=True))
    folders = (child["name"] for child in found if child["type"] == "directory")
    yield from sorted(name.rstrip("/").rpartition("/")[2] for name in folders)


def stat(uri: str) -> Entry:
    found = _call("reading", uri, lambda files, path: files.info(path))
    if found["type"] == "directory":
        raise ObjectMissing(f"reading {name_in_message(uri)}: it is a folder")
    return _entry(uri, uri.rpartition("/")[2], found)


def read_bytes(uri: str) -> bytes:
    data: bytes = _call("reading", uri, lambda files, path: files.cat_file(path))
    return data


def read_versioned(uri: str) -> tuple[bytes, str]:
    data = read_bytes(uri)
    return data, hashlib.sha256(data).hexdigest()[:32]


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    data: bytes = _call("reading", uri, lambda files, path: files.cat_file(path, start, stop))
    return data


def open_read(uri: str) -> BinaryIO:
    file: BinaryIO = _call("reading", uri, lambda files, path: files.open(path, "rb"))
    return file


def download(
    uri: str,
    path: Path,
    *,
    etag: str | None,
    size_bytes: int | None,
    max_bytes: int | None = None,
) -> None:
    def copy(files: fsspec.AbstractFileSystem, source_path: str) -> None:
        with files.open(source_path, "rb") as source, path.open("wb") as target:
            while piece := source.read(1 << 20):
                target.write(piece)
                if max_bytes is not None and target.tell() > max_bytes:
                    raise VideoError(
                        ErrorKind.REFUSED, f"it has more bytes than the limit max_bytes={max_bytes}"
                    )
                if size_bytes is not None and target.tell() > size_bytes:  # it may never end
                    raise ObjectChanged(
                        f"{name_in_message(uri)} is longer than it was when it was listed"
                    )

    _call("reading", uri, copy)
    if size_bytes not in (None, path.stat().st_size) or etag not in (None, stat(uri).etag):
        raise ObjectChanged(f"{name_in_message(uri)} is no longer the object that was listed")


def write_whole(uri: str, data: bytes) -> None:
    def write(files: fsspec.AbstractFileSystem, path: str) -> None:
        files.makedirs(parent(path), exist_ok=True)
        files.pipe_file(path, data)

    _call("writing", uri, write)


def write_file(uri: str, path: Path) -> None:
    def write(files: fsspec.AbstractFileSystem, target: str) -> None:
        files.makedirs(parent(target), exist_ok=True)
        files.put_file(str(path), target)

    _call("writing", uri, write)


def replace_file(uri: str, path: Path, etag: str | None) -> None:
    try:
        now = stat(uri).etag
    except ObjectMissing:
        now = None
    if now != etag:
        raise PreconditionFailed(f"{name_in_message(uri)} was changed by another writer")
    write_file(uri, path)


def create_exclusive(uri: str, data: bytes) -> str:
    with suppress(ObjectMissing):
        stat(uri)
        raise PreconditionFailed(f"{name_in_message(uri)} exists already")

    def create(files: fsspec.AbstractFileSystem, path: str) -> None:
        files.makedirs(parent(path), exist_ok=True)
        # The drivers of Azure and Google leave it to the store; others look, and then write.
        files.pipe_file(path, data, mode="create")

    try:
        _call("writing", uri, create)
    except PreconditionFailed:
        if read_bytes(uri) != data:  # equal: an attempt succeeded whose response was lost
            raise
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
        raise PreconditionFailed(f"{name_in_message(uri)} was changed by another writer")


def remove(uris: Iterable[str]) -> None:
    for uri in uris:
        with suppress(ObjectMissing):
            _call("removing", uri, lambda files, path: files.rm_file(path))
