"""Can we read there, write there? Asked before a run starts, so that it ends within seconds."""

from __future__ import annotations

import secrets

from ah_ray.errors import ConfigError, StorageError
from ah_ray.storage import objects, retry
from ah_ray.storage.uri import join, local_path, normalise


def check_readable(uri: str) -> None:
    """Raises ConfigError, within seconds, if neither an object nor a folder can be read there."""
    with retry.patience(retry.HASTY):
        try:
            path = local_path(uri)
            if _names_an_object(uri) and (path is None or not path.is_dir()):
                objects.stat(uri)
            else:
                next(iter(objects.list_pages(uri)), None)
        except StorageError as error:
            raise ConfigError(f"{uri} cannot be read: {error}") from error


def _names_an_object(uri: str) -> bool:
    return uri.lower().endswith((".parquet", ".csv"))


def check_writable(out: str) -> None:
    """Raises ConfigError, within seconds, if objects cannot be written to and removed from OUT."""
    probe = join(normalise(out), f".probe-{secrets.token_hex(8)}")
    with retry.patience(retry.HASTY):
        try:
            objects.write_whole(probe, b"")
            objects.remove([probe])
        except StorageError as error:
            raise ConfigError(f"{out} cannot be written to: {error}") from error
