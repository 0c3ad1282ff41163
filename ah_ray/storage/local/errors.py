"""The operating system's errors about local paths, translated to the project's errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ah_ray.errors import ObjectDenied, ObjectMissing, StorageError
from ah_ray.escaping import escape_text
from ah_ray.naming import name_in_message

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def translate_errors(doing: str, path: str | Path) -> Iterator[None]:
    """Translate OSErrors within this block to the project's errors, with path and remedy.

    A link that leads to itself counts as a missing file; where a folder is expected it is an error,
    because nobody knows what should be there.
    """
    try:
        yield
    except OSError as error:
        message = f"{doing} {name_in_message(str(path))}: {error.strerror or error}"
        if error.errno in _MISSING or (error.errno == errno.ELOOP and doing != "listing"):
            raise ObjectMissing(message) from None
        if error.errno in _DENIED:
            raise ObjectDenied(f"{message}; check who may use it with `ls -l`") from None
        if error.errno in _FULL:
            raise _full(message, Path(path)) from error
        raise StorageError(message) from error


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Name the disk of `path`, a copy in the making, if that is why storage gave up.

    What reads an object from a store speaks of the object, and does not know where it goes.
    """
    try:
        yield
    except StorageError as error:
        cause = error.__cause__
        while cause is not None and not (isinstance(cause, OSError) and cause.errno in _FULL):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        # A copy may have no name but that of its descriptor, which says nothing to anybody.
        folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 (Path refuses such links)
        raise _full(f"copying to {name_in_message(folder)}: {cause.strerror}", path) from cause


def _full(message: str, path: Path) -> StorageError:
    return StorageError(f"{message}; make room on the disk of {escape_text(_disk_of(path))}")


def _disk_of(path: Path) -> str:
    """Return where the disk is mounted that holds, or would hold, this path."""
    path = Path(os.path.realpath(path))
    while not path.exists() and path != path.parent:
        path = path.parent
    while not path.is_mount():
        path = path.parent
    return str(path)
