"""Folders of this machine, with the promises of an object store: whole objects, or none.

Conditional writes hold a lock on a file beside the object (`.<name>.lock`), so they are safe
between the processes of a machine, and between machines where the file system carries flock.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat as stat_modes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ah_ray.errors import (
    ObjectChanged,
    ObjectDenied,
    ObjectMissing,
    PreconditionFailed,
    StorageError,
    shown,
)
from ah_ray.storage.entry import Entry

_PAGE = 1_000
_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def _told(doing: str, path: str | Path) -> Iterator[None]:
    """Turns the system's errors into the project's, with the place and the mend."""
    try:
        yield
    except OSError as error:
        message = f"{doing} {shown(str(path))}: {error.strerror or error}"
        if error.errno in _MISSING:
            raise ObjectMissing(message) from None
        if error.errno in _DENIED:
            raise ObjectDenied(f"{message}; check who may use it with `ls -l`") from None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"{message}; make room on that disk") from error
        raise StorageError(message) from error


def etag_of(stat: os.stat_result) -> str:
    """16 hex digits of a hash of size and mtime_ns."""
    return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]


def _content_etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _entry(path: str, key: str, found: os.stat_result | None) -> Entry:
    if found is None or not stat_modes.S_ISREG(found.st_mode):
        return Entry(uri=path, key=key, size_bytes=None, etag=None, last_modified=None)
    modified = datetime.fromtimestamp(found.st_mtime_ns // 1_000_000_000, UTC)
    return Entry(
        uri=path,
        key=key,
        size_bytes=found.st_size,
        etag=etag_of(found),
        last_modified=modified.replace(microsecond=found.st_mtime_ns // 1_000 % 1_000_000),
    )


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    """All below a folder, in the order of S3 (by the bytes of the key), links followed."""
    root = prefix.rstrip("/") or "/"
    with _told("listing", root):
        os.scandir(root).close()
    page: list[Entry] = []
    for entry in _walk(root, "", frozenset()):
        page.append(entry)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _walk(folder: str, key: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
    """`above` holds the folders that lead here, so a link to one of them is not followed."""
    with _told("listing", folder):
        here = Path(folder).stat()
        inode = (here.st_dev, here.st_ino)
        if inode in above:
            return
        with os.scandir(folder) as found:
            names = [child.name + "/" if child.is_dir() else child.name for child in found]
    names.sort(key=os.fsencode)
    for name in names:
        path = folder.rstrip("/") + "/" + name.rstrip("/")
        if name.endswith("/"):
            yield from _walk(path, key + name, above | {inode})
        elif (entry := _listed(path, key + name)) is not None:
            yield entry


def _listed(path: str, key: str) -> Entry | None:
    """None if it was removed since its folder was read."""
    try:
        return _entry(path, key, os.stat(path))  # noqa: PTH116 (a million Paths are slow)
    except OSError:
        return _entry(path, key, None) if os.path.lexists(path) else None


def stat(uri: str) -> Entry:
    with _told("reading", uri):
        found = Path(uri).stat()
    if not stat_modes.S_ISREG(found.st_mode):
        raise ObjectMissing(f"reading {uri}: it is not a file")
    return _entry(uri, Path(uri).name, found)


def read_bytes(uri: str) -> bytes:
    with _told("reading", uri):
        return Path(uri).read_bytes()


def read_versioned(uri: str) -> tuple[bytes, str]:
    data = read_bytes(uri)
    return data, _content_etag(data)


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    with open_read(uri) as file:
        _check_unchanged(uri, file, etag, None)
        file.seek(start)
        return file.read(stop - start)


def open_read(uri: str) -> BinaryIO:
    with _told("reading", uri):
        return Path(uri).open("rb")


def download(uri: str, path: Path, *, etag: str | None, size_bytes: int | None) -> None:
    with _told("reading", uri), Path(uri).open("rb") as source:
        _check_unchanged(uri, source, etag, size_bytes)
        with path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        _check_unchanged(uri, source, etag, target_bytes := path.stat().st_size)
    if size_bytes not in (None, target_bytes):
        raise ObjectChanged(f"{uri} changed while it was read")


def _check_unchanged(uri: str, file: BinaryIO, etag: str | None, size_bytes: int | None) -> None:
    now = os.fstat(file.fileno())
    if etag not in (None, etag_of(now)) or size_bytes not in (None, now.st_size):
        raise ObjectChanged(f"{uri} is no longer the file that was listed")


def write_whole(uri: str, data: bytes) -> None:
    with _told("writing", uri), _whole(Path(uri), BytesIO(data)) as temporary:
        temporary.replace(uri)


def write_file(uri: str, path: Path) -> None:
    with _told("writing", uri), path.open("rb") as data, _whole(Path(uri), data) as temporary:
        temporary.replace(uri)


@contextmanager
def _whole(path: Path, data: BinaryIO) -> Iterator[Path]:
    """A file beside `path` that holds all of `data`, on disk; removed if it was not renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            shutil.copyfileobj(data, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def create_exclusive(uri: str, data: bytes) -> str:
    path = Path(uri)
    with _told("writing", uri):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path), _whole(path, BytesIO(data)) as temporary:
            if path.exists():
                raise PreconditionFailed(f"{uri} exists already")
            temporary.replace(path)
    return _content_etag(data)


def replace_if(uri: str, data: bytes, etag: str) -> str:
    path = Path(uri)
    with _told("writing", uri), _locked(path), _whole(path, BytesIO(data)) as temporary:
        _check_content(uri, etag)
        temporary.replace(path)
    return _content_etag(data)


def remove_if(uri: str, etag: str) -> None:
    with _told("removing", uri), _locked(Path(uri)):
        _check_content(uri, etag)
        Path(uri).unlink()


def _check_content(uri: str, etag: str) -> None:
    if _content_etag(Path(uri).read_bytes()) != etag:
        raise PreconditionFailed(f"{uri} was changed by another writer")


def remove(uris: Iterable[str]) -> None:
    for uri in uris:
        with _told("removing", uri), suppress(FileNotFoundError, NotADirectoryError):
            Path(uri).unlink()
