"""Checks before a run starts: can this process read, write, and write conditionally there?"""

from __future__ import annotations

import secrets
from contextlib import suppress

from ah_ray.errors import ConfigError, ObjectMissing, PreconditionFailed, StorageError
from ah_ray.naming import name_in_message
from ah_ray.storage import objects, retry
from ah_ray.storage.uri import join, local_path, normalise, scheme

_KEEP_RUNS_APART = ("s3", "gs", "az", "memory")  # memory: has one process
_FALSE_ETAG = "1" * 16  # in the form of every store: an etag, or a generation of Google's


def check_readable(uri: str) -> None:
    """Raise ConfigError, within seconds, if neither an object nor a folder can be read there."""
    with retry.patience(retry.HASTY):
        try:
            path = local_path(uri)
            if _names_an_object(uri) and (path is None or not path.is_dir()):
                objects.stat(uri)
            else:
                next(iter(objects.list_pages(uri)), None)
        except StorageError as error:
            raise ConfigError(f"{name_in_message(uri)} cannot be read: {error}") from error


def _names_an_object(uri: str) -> bool:
    return uri.lower().endswith((".parquet", ".csv"))


def check_writable(out: str) -> None:
    """Raise ConfigError, within seconds, if OUT does not allow writing and removing objects."""
    probe = _probe_uri(out)
    with retry.patience(retry.HASTY):
        try:
            objects.write_whole(probe, b"")
            objects.remove([probe])
        except StorageError as error:
            raise ConfigError(f"{name_in_message(out)} cannot be written to: {error}") from error


def check_conditions(out: str) -> bool:
    """Test, with a temporary object, whether OUT's store honours conditional writes.

    Return whether it also honours conditions on removal. Without these, an object that another
    writer may have replaced must not be removed. Raise ConfigError, within seconds, if two writers
    of one object would both succeed, or if the store refuses a valid replacement.
    """
    if local_path(out) is not None:
        return True  # by file locks; a file system without them raises an error
    if scheme(out) not in _KEEP_RUNS_APART:
        raise ConfigError(
            f"{_unguarded_message(out)} (its driver looks first, and then writes); give a path, "
            "s3://, gs:// or az://, or --no-lease, and make sure that only one run at a time "
            "writes to this OUT"
        )
    probe = _probe_uri(out)
    with retry.patience(retry.HASTY):
        try:
            problem = _find_write_problem(probe)
            honoured = problem is None and _removal_is_conditional(probe)
            objects.remove([probe])
        except StorageError as error:
            raise ConfigError(f"{_unguarded_message(out)} ({error}); {_REMEDY}") from error
    if problem:
        raise ConfigError(f"{_unguarded_message(out)} ({problem}); {_REMEDY}")
    return honoured


_REMEDY = (
    "use a store that honours If-Match and If-None-Match as Amazon S3 does, or give --no-lease "
    "and make sure that only one run at a time writes to this OUT"
)


def _unguarded_message(out: str) -> str:
    return f"two runs at once could not be kept apart in {name_in_message(out)}"


def _find_write_problem(probe: str) -> str | None:
    """Return what is wrong with the store's conditional writes; None if they work."""
    etag = objects.create_exclusive(probe, b"first")
    with suppress(PreconditionFailed):
        objects.create_exclusive(probe, b"second")
        return "its store created an object twice that must not have existed"
    with suppress(PreconditionFailed):
        objects.replace_if(probe, b"third", _FALSE_ETAG)
        return "its store replaced an object although the etag was another one"
    try:
        objects.replace_if(probe, b"fourth", etag)
    except PreconditionFailed:
        return "its store refused to replace an object although the etag was right"
    return None


def _removal_is_conditional(probe: str) -> bool:
    try:
        objects.remove_if(probe, _FALSE_ETAG)
    except PreconditionFailed:
        return True
    except ObjectMissing:
        return False
    except StorageError:  # the store does not support this condition
        return False
    return False


def _probe_uri(out: str) -> str:
    return join(normalise(out), f".probe-{secrets.token_hex(8)}")
