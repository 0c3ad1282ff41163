"""Local folders with the guarantees of an object store: readers see whole objects, or none.

A conditional write holds a lock on the object's folder while it compares and renames, so it is
safe between the processes of a machine, and between machines where the file system carries flock.
Rows come by the million, so there are no lock files, except where folders cannot be locked (NFS).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import stat as stat_modes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ah_ray.errors import (
    ObjectChanged,
    ObjectMissing,
    PreconditionFailed,
)
from ah_ray.naming import name_in_message
from ah_ray.storage.entry import Entry
from ah_ray.storage.local.errors import translate_errors
from ah_ray.storage.local.listing import entry_of, etag_of
from ah_ray.storage.local.listing import list_pages as list_pages


def list_folders(prefix: str) -> Iterator[str]:
    with translate_errors("listing", prefix), os.scandir(prefix) as found:
        yield from sorted(child.name for child in found if child.is_dir())


def _content_etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def stat(uri: str) -> Entry:
    with translate_errors("reading", uri):
        found = Path(uri).stat()
    if not stat_modes.S_ISREG(found.st_mode):
        raise ObjectMissing(f"reading {name_in_message(uri)}: it is not a file")
    return entry_of(uri, Path(uri).name, found)


def _open(uri: str) -> BinaryIO:
    """Open a file for reading. Raise ObjectMissing if it is not a file: a pipe would block."""
    file = open(os.open(uri, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115, PTH123
    if stat_modes.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise ObjectMissing(f"reading {name_in_message(uri)}: it is not a file")


def read_bytes(uri: str) -> bytes:
    with translate_errors("reading", uri), _open(uri) as file:
        return file.read()


def read_versioned(uri: str) -> tuple[bytes, str]:
    data = read_bytes(uri)
    return data, _content_etag(data)


def read_range(uri: str, start: int, stop: int, *, etag: str | None) -> bytes:
    with open_read(uri) as file:
        _check_unchanged(uri, file, etag, None)
        file.seek(start)
        return file.read(stop - start)


def open_read(uri: str) -> BinaryIO:
    with translate_errors("reading", uri):
        return _open(uri)


def download(uri: str, path: Path, *, etag: str | None, size_bytes: int | None) -> None:
    with translate_errors("reading", uri), _open(uri) as source:
        _check_unchanged(uri, source, etag, size_bytes)
        with path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        _check_unchanged(uri, source, etag, target_bytes := path.stat().st_size)
    if size_bytes not in (None, target_bytes):
        raise ObjectChanged(f"{name_in_message(uri)} changed while it was read")


def _check_unchanged(uri: str, file: BinaryIO, etag: str | None, size_bytes: int | None) -> None:
    now = os.fstat(file.fileno())
    if etag not in (None, etag_of(now)) or size_bytes not in (None, now.st_size):
        raise ObjectChanged(f"{name_in_message(uri)} is no longer the file that was listed")


def write_whole(uri: str, data: bytes) -> None:
    with translate_errors("writing", uri), _write_beside(Path(uri), BytesIO(data)) as temporary:
        temporary.replace(uri)


def write_file(uri: str, path: Path) -> None:
    with (
        translate_errors("writing", uri),
        path.open("rb") as data,
        _write_beside(Path(uri), data) as temporary,
    ):
        temporary.replace(uri)


def replace_file(uri: str, path: Path, etag: str | None) -> None:
    place = Path(uri)
    with (
        translate_errors("writing", uri),
        path.open("rb") as data,
        _write_beside(place, data) as temporary,
        _hold_lock(place),
    ):
        if etag != (etag_of(place.stat()) if place.exists() else None):
            raise PreconditionFailed(f"{name_in_message(uri)} was changed by another writer")
        temporary.replace(place)


@contextmanager
def _write_beside(path: Path, data: BinaryIO) -> Iterator[Path]:
    """Write `data` to a file beside `path` and to disk. Remove it if it was not renamed."""
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
def _hold_lock(path: Path) -> Iterator[None]:
    """Keep other conditional writes out of the folder of `path`, which is there."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
        except OSError:  # of a folder's descriptor, some file systems want more than reading
            with path.with_name(".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        else:
            yield
    finally:
        os.close(folder)


def create_exclusive(uri: str, data: bytes) -> str:
    path = Path(uri)
    with (
        translate_errors("writing", uri),
        _write_beside(path, BytesIO(data)) as temporary,
        _hold_lock(path),
    ):
        if path.exists():
            raise PreconditionFailed(f"{name_in_message(uri)} exists already")
        temporary.replace(path)
    return _content_etag(data)


def replace_if(uri: str, data: bytes, etag: str) -> str:
    path = Path(uri)
    with translate_errors("writing", uri):
        _check_content(uri, etag)  # so that nothing is made where the object is gone
        with _write_beside(path, BytesIO(data)) as temporary, _hold_lock(path):
            _check_content(uri, etag)
            temporary.replace(path)
    return _content_etag(data)


def remove_if(uri: str, etag: str) -> None:
    with translate_errors("removing", uri), _hold_lock(Path(uri)):
        _check_content(uri, etag)
        Path(uri).unlink()


def _check_content(uri: str, etag: str) -> None:
    with _open(uri) as file:
        same = _content_etag(file.read()) == etag
    if not same:
        raise PreconditionFailed(f"{name_in_message(uri)} was changed by another writer")


def remove(uris: Iterable[str]) -> None:
    for uri in uris:
        with translate_errors("removing", uri), suppress(FileNotFoundError, NotADirectoryError):
            Path(uri).unlink()
