"""A file that a user names is written to a new place, or over a file that ah_ray wrote."""

from __future__ import annotations

from collections.abc import Callable

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.output.config import is_own_file

_HEAD_BYTES = 1 << 20
IsOurs = Callable[[bytes], bool]


def check_replaceable(flag: str, uri: str, is_ours: IsOurs, *, kind: str, out: str) -> None:
    """Raise ConfigError, which names `flag`, unless a file of this `kind` may be written at `uri`.

    The place may not be a folder, nor one where the output `out` keeps its own files, nor hold a
    file that `is_ours`, given its first MiB, does not recognise. The folder must be writable.
    """
    path = storage.local_path(uri)
    if uri.endswith("/") or (path is not None and path.is_dir()):
        raise ConfigError(f"{flag} {uri}: that is a folder; give a file")
    if is_own_file(storage.normalise(out), storage.normalise(uri)):
        raise ConfigError(f"{flag} {uri}: the output itself uses that name; give another file")
    try:
        with storage.open_read(uri) as file:
            head = file.read(_HEAD_BYTES)
    except ObjectMissing:
        head = None
    except StorageError as error:
        raise ConfigError(f"{flag} {uri}: {error}") from None
    if head is not None and not is_ours(head):
        raise ConfigError(
            f"{flag} {uri}: there is a file already that is no {kind}; give another name, or "
            "move that file away"
        )
    try:
        storage.check_writable(storage.parent(storage.normalise(uri)))
    except ConfigError as error:
        raise ConfigError(
            f"{flag} {uri} cannot be written: {error}; give another file with {flag}"
        ) from None


def made_by(generator: str) -> IsOurs:
    """Return a check whether an HTML page names `generator` as its generator."""
    mark = f'<meta name="generator" content="{generator}">'.encode()
    return lambda head: mark in head
