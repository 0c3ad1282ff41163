"""Removes many objects at once, from stores that remove one with each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from ah_ray.errors import ObjectMissing
from ah_ray.storage import retry

_AT_ONCE = 16


def remove_each(delete: Callable[[str], None], uris: Iterable[str]) -> None:
    """Call `delete(uri)` for each object. Missing objects are no error."""
    patience = retry.current_patience()  # of this thread, for the others

    def remove_one(uri: str) -> None:
        with retry.patience(patience), suppress(ObjectMissing):
            delete(uri)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(remove_one, uris))
