"""Removes objects from stores that remove one with each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from ah_ray.errors import ObjectMissing, PreconditionFailed
from ah_ray.storage import retry
from ah_ray.storage.entry import Entry

_AT_ONCE = 16


def remove_each(delete: Callable[[str], None], uris: Iterable[str]) -> None:
    """Call `delete(uri)` for each object. Missing objects are no error."""
    patience = retry.current_patience()  # of this thread, for the others

    def remove_one(uri: str) -> None:
        with retry.patience(patience), suppress(ObjectMissing):
            delete(uri)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(remove_one, uris))


def remove_version(uri: str, delete: Callable[[str], None], stat: Callable[[str], Entry]) -> None:
    """Call `delete(uri)`, which has a condition. Raise ObjectMissing if there is no object."""
    try:
        delete(uri)
    except PreconditionFailed:
        stat(uri)  # raises ObjectMissing if there is none
        raise
