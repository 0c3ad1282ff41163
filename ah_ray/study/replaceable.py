"""A file that a person names is written where nothing is yet, or over one that we wrote."""

from __future__ import annotations

from collections.abc import Callable

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.results.outputs import keeps_its_own_at

_HEAD_BYTES = 1 << 20
IsOurs = Callable[[bytes], bool]


def check_replaceable(flag: str, uri: str, is_ours: IsOurs, *, kind: str, out: str) -> None:
    """Raises ConfigError, which names `flag`, unless a file of this `kind` may be written at `uri`.

    It may not be a folder, nor a place at which the output `out` keeps something of its own, nor
    hold anything that `is_ours`, given its first MiB, does not know. Its folder is tried.
    """
    path = storage.local_path(uri)
    if uri.endswith("/") or (path is not None and path.is_dir()):
        raise ConfigError(f"{flag} {uri}: that is a folder; give a file")
    if keeps_its_own_at(storage.normalise(out), storage.normalise(uri)):
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
            f"{flag} {uri}: there is a file already that is no {kind}; give another name, or take "
            "that file away"
        )
    try:
        storage.check_writable(storage.parent(storage.normalise(uri)))
    except ConfigError as error:
        raise ConfigError(
            f"{flag} {uri} cannot be written: {error}; give another file with {flag}"
        ) from None


def made_by(generator: str) -> IsOurs:
    """Whether an HTML page says of itself that this made it."""
    mark = f'<meta name="generator" content="{generator}">'.encode()
    return lambda head: mark in head
