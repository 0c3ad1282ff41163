"""The files below a local folder: each once, with the reason if it cannot be read."""

from __future__ import annotations

import hashlib
import os
import stat as stat_modes
from collections.abc import Iterator
from datetime import UTC, datetime

from ah_ray.errors import ErrorKind, ObjectDenied, ObjectMissing
from ah_ray.storage.entry import Entry
from ah_ray.storage.local.errors import translate_errors
from ah_ray.storage.uri import as_folder

_PAGE = 1_000


def etag_of(stat: os.stat_result) -> str:
    """Return 16 hex digits of a hash of size and mtime_ns."""
    return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]


def entry_of(path: str, key: str, found: os.stat_result | None) -> Entry:
    """Return the entry of a path. `found` is None if it cannot be looked at (a dangling link)."""
    if found is None or not stat_modes.S_ISREG(found.st_mode):
        problem = "it is a link to nothing, or not a file"
        return _entry_without_content(path, key, ErrorKind.MISSING, problem)
    modified = datetime.fromtimestamp(found.st_mtime_ns // 1_000_000_000, UTC)
    readable = os.access(path, os.R_OK)
    return Entry(
        uri=path,
        key=key,
        size_bytes=found.st_size,
        etag=etag_of(found),
        last_modified=modified.replace(microsecond=found.st_mtime_ns // 1_000 % 1_000_000),
        problem_kind=None if readable else ErrorKind.DENIED,
        problem=None if readable else "this user may not read it: check it with `ls -l`",
    )


def _entry_without_content(
    path: str, key: str, kind: ErrorKind, problem: str, *, is_folder: bool = False
) -> Entry:
    return Entry(
        uri=path,
        key=key,
        size_bytes=None,
        etag=None,
        last_modified=None,
        problem_kind=kind,
        problem=problem,
        is_folder=is_folder,
    )


def list_pages(prefix: str) -> Iterator[list[Entry]]:
    """Yield all files below a folder, in S3's order (by the bytes of the key). Follow links.

    Each folder is listed once: a link to another folder below `prefix` is skipped, and so is a
    second link to a folder outside. A folder further down that may not be listed becomes an entry
    with its problem.
    """
    root = prefix.rstrip("/") or "/"
    with translate_errors("listing", root):
        os.scandir(root).close()
    page: list[Entry] = []
    for entry in _walk(root, "", _Links(os.path.realpath(root))):
        page.append(entry)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


class _Links:
    """The links to folders that have been followed."""

    def __init__(self, root: str):
        self._root = as_folder(root)
        self._followed: list[str] = []

    def leads_out(self, path: str) -> bool:
        """Return whether a link leads to a folder that is listed nowhere else, and remember it."""
        target = as_folder(os.path.realpath(path))
        places = (self._root, *self._followed)
        if any(target.startswith(place) or place.startswith(target) for place in places):
            return False
        self._followed.append(target)
        return True


def _walk(folder: str, key: str, links: _Links) -> Iterator[Entry]:
    try:
        with translate_errors("listing", folder):
            names = _names_in(folder, links)
    except ObjectDenied as error:
        if not key:
            raise
        denied = ErrorKind.DENIED
        yield _entry_without_content(folder, key.rstrip("/"), denied, str(error), is_folder=True)
        return
    except ObjectMissing:
        if not key:
            raise
        return  # it was removed since the folder above was read
    for name in names:
        path = folder.rstrip("/") + "/" + name.rstrip("/")
        if name.endswith("/"):
            yield from _walk(path, key + name, links)
        elif (entry := _make_entry(path, key + name)) is not None:
            yield entry


def _names_in(folder: str, links: _Links) -> list[str]:
    """Return the names sorted by their bytes, folders with a `/` at the end."""
    names = []
    with os.scandir(folder) as found:
        for child in found:
            try:
                is_folder = child.is_dir()
            except OSError:  # a link to itself
                is_folder = False
            if is_folder and child.is_symlink() and not links.leads_out(child.path):
                continue
            names.append(child.name + "/" if is_folder else child.name)
    return sorted(names, key=os.fsencode)


def _make_entry(path: str, key: str) -> Entry | None:
    """Return the entry of a path, or None if it was removed since its folder was read."""
    try:
        return entry_of(path, key, os.stat(path))  # noqa: PTH116 (a million Paths are slow)
    except OSError:
        return entry_of(path, key, None) if os.path.lexists(path) else None
