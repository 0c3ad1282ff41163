"""A conditional write whose response was lost: the object that is there may be ours."""

from __future__ import annotations

from collections.abc import Callable

from ah_ray.errors import PreconditionFailed


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
