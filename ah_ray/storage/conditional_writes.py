"""Writes on a condition, where a response is lost or a server ignores the condition."""

from __future__ import annotations

from collections.abc import Callable

from ah_ray.errors import ObjectMissing, PreconditionFailed
from ah_ray.naming import name_in_message
from ah_ray.storage.entry import Entry


def write_or_recognise(
    write: Callable[[], str], read_versioned: Callable[[], tuple[bytes, str]], data: bytes
) -> str:
    """Return the etag of `data`, written by `write()` now or by an earlier attempt of it.

    A request may arrive although its response is lost, and then the condition of the next attempt
    does not hold any more. No two writers write the same data. Raise PreconditionFailed if the
    object is another writer's, ObjectMissing if there is none.
    """
    try:
        return write()
    except PreconditionFailed:
        present, etag = read_versioned()
        if present != data:
            raise
        return etag


def check_present(uri: str, etag: str | None, stat: Callable[[str], Entry]) -> None:
    """Raise PreconditionFailed if the object has another etag, or for None if there is one."""
    try:
        now = stat(uri).etag
    except ObjectMissing:
        now = None
    if now != etag:
        raise PreconditionFailed(f"writing {name_in_message(uri)}: another writer was first")
