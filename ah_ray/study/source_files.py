"""Files of labels, read whole: they may come from somebody else, so not without a limit."""

from __future__ import annotations

from ah_ray import storage
from ah_ray.errors import ConfigError

MAX_BYTES = 1 << 30
"""Ten times what the annotations of BAH have."""


def read_source(uri: str) -> bytes:
    """Raises ConfigError if it is too large, StorageError as storage does."""
    if (storage.stat(uri).size_bytes or 0) > MAX_BYTES:
        raise ConfigError(f"{uri} is over {MAX_BYTES >> 30} GiB, which no file of labels is")
    return storage.read_bytes(uri)
