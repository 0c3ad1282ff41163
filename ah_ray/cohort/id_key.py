"""The key that makes video ids impossible to guess, from the file that `--id-key` names."""

from __future__ import annotations

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError

_SHORTEST_KEY = 16


def read_id_key(uri: str | None) -> bytes | None:
    """None without a file. Raises ConfigError if it cannot be read, or could be guessed itself."""
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
