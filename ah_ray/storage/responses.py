"""What the error statuses of HTTP mean that all stores of objects use alike."""

from __future__ import annotations

from ah_ray.errors import ObjectChanged, ObjectMissing, PreconditionFailed, StorageError
from ah_ray.escaping import escape_text
from ah_ray.naming import hide_paths

_PASSING = {408, 429}


def may_pass(status: int) -> bool:
    """Return whether a request with this status may succeed if it is sent again."""
    return status in _PASSING or (status >= 500 and status != 501)


def translate_status(what: str, status: int, text: str) -> Exception:
    """Return the exception for an error status. `what` begins its message: "reading NAME"."""
    if status == 404:
        return ObjectMissing(f"{what}: {text}")
    if status == 412 and what.startswith("reading"):
        return ObjectChanged(f"{what}: it is no longer the object that was listed")
    if status == 412:
        return PreconditionFailed(f"{what}: another writer was first")
    return StorageError(f"{what}: {text}")


def describe_error(error: Exception, text: str | None = None) -> str:
    """Return the first line of an error's message, or of `text`, without commands or paths.

    Clients of stores go on with requests, identifiers and advice.
    """
    first = (text or str(error)).strip().partition("\n")[0]
    return hide_paths(escape_text(first))[:300] or type(error).__name__
