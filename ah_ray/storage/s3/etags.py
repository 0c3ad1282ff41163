"""The form of an etag in If-Match that a store accepts: with quotes, or without.

HTTP writes etags in quotes. Some stores compare the If-Match value letter by letter with an etag
that they keep without quotes, and respond 412 to the other form for every object. So a 412 counts
only once a form is known to work for that kind of request. Until then the object's etag is read,
and if it is the expected one, the request is sent again in the other form. The form that works is
remembered for each store and kind of request while the process lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from ah_ray.errors import ObjectChanged, PreconditionFailed

T = TypeVar("T")

_bare: dict[tuple[str, str], bool] = {}
"""(store, operation) → whether etags are sent without quotes. Holds only what is known to work."""


def send_if_match(
    place: str,
    operation: str,
    etag: str,
    send: Callable[[str], T],
    present: Callable[[], str],
) -> T:
    """Return `send(value of If-Match)` in the form that this store accepts.

    `etag` has no quotes. `present()` returns the object's etag as the store gives it now, quotes
    included. Raise what `send` raises: PreconditionFailed or ObjectChanged if the object has
    changed.
    """
    store = (_store(place), operation)
    known = _bare.get(store)
    if known is not None:
        return send(_quote_etag(etag, bare=known))
    try:
        result = send(_quote_etag(etag, bare=False))
    except (PreconditionFailed, ObjectChanged):
        if present().strip('"') != etag:
            raise  # the object has changed
        result = send(_quote_etag(etag, bare=True))
        _bare[store] = True
        return result
    _bare[store] = False
    return result


def _quote_etag(etag: str, *, bare: bool) -> str:
    return etag if bare else f'"{etag}"'


def _store(bucket: str) -> str:
    address = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return f"{address} {bucket}"
