"""The key that makes video ids impossible to guess, from the file of `--id-key`."""

from __future__ import annotations

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError

_SHORTEST_KEY = 16


def read_id_key(uri: str | None) -> bytes | None:
    """Return the key; None without a file. Raise ConfigError if it is unreadable or too short."""
    if uri is None:
        return None
    try:
        key = storage.read_bytes(uri).strip()
    except StorageError as error:
        raise ConfigError(f"--id-key: {error}") from None
    if len(key) < _SHORTEST_KEY:
        raise ConfigError(
            f"--id-key: the file holds under {_SHORTEST_KEY} bytes; a key needs to be unguessable"
        )
    return key
