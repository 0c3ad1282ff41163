"""Files of labels, read whole, up to a limit, since they may come from anybody."""

from __future__ import annotations

from ah_ray import storage
from ah_ray.errors import ConfigError

MAX_BYTES = 1 << 30
"""Ten times what the annotations of BAH have."""


def read_source(uri: str) -> bytes:
    """Return the content of a file. Raise ConfigError if it is too large; raise StorageError."""
    if (storage.stat(uri).size_bytes or 0) > MAX_BYTES:
        raise ConfigError(f"{uri} is over {MAX_BYTES >> 30} GiB, which no file of labels is")
    return storage.read_bytes(uri)
