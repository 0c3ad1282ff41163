"""Writes that a run makes only while it holds its OUT, over what is there, and over nothing newer.

A process can be stopped for minutes between any two of its steps, and another run may take over
meanwhile. So a write has a condition: the version of the object that was there before it was last
confirmed that the run holds OUT. If another run has written since, storage refuses the write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ah_ray import storage
from ah_ray.errors import ObjectMissing, PreconditionFailed, StorageError

_ATTEMPTS = 3  # to write an object that somebody else changes meanwhile


class Written(NamedTuple):
    """What a write has made."""

    etag: str  # for storage.remove_if
    is_new: bool  # there was no such object before


def write_guarded(
    uri: str, data: bytes, confirm: Callable[[], None], *, is_probably_new: bool = False
) -> Written:
    """Write a small object over the version that is there now, or create it.

    `confirm` is called before each attempt, and raises if OUT is another run's by now. With
    `is_probably_new` the first attempt is to create the object, which saves a request where that
    succeeds. Raise StorageError if the object is not written, and what `confirm` raises.
    """
    before = None if is_probably_new else _version(uri)
    for _ in range(_ATTEMPTS):
        confirm()
        try:
            if before is None:
                return Written(etag=storage.create_exclusive(uri, data), is_new=True)
            return Written(etag=storage.replace_if(uri, data, before), is_new=False)
        except PreconditionFailed:
            before = _version(uri)
        except ObjectMissing:
            if before is None:
                raise  # there is no such bucket, or no such place
            before = None
    raise StorageError(f"{uri} is changed again and again by another writer: find out by whom")


def _version(uri: str) -> str | None:
    """Return the etag of an object for `storage.replace_if`; None if there is no such object."""
    try:
        return storage.read_versioned(uri)[1]
    except ObjectMissing:
        return None
