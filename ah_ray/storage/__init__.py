"""Objects by URI, in any store: the only package that uses fsspec.

    list_pages list_folders stat exists      what is there
    read_bytes read_range open_read download     local_path, where a file can be opened in place
    write_whole write_file remove     whole objects or none
    read_versioned create_exclusive replace_if replace_file remove_if   writes with a condition
    check_readable check_writable check_conditions     before a run starts

Faults that may pass are retried (retry.py). Others are raised as errors of errors.py:
ObjectMissing, ObjectDenied, ObjectChanged, PreconditionFailed, or StorageError for all else.
Importing the package opens nothing, so workers may be forked or spawned.
"""

from ah_ray.storage.entry import Entry
from ah_ray.storage.objects import (
    create_exclusive,
    download,
    exists,
    list_folders,
    list_pages,
    open_read,
    read_bytes,
    read_range,
    read_versioned,
    remove,
    remove_if,
    replace_file,
    replace_if,
    stat,
    write_file,
    write_whole,
)
from ah_ray.storage.preflight import check_conditions, check_readable, check_writable
from ah_ray.storage.retry import Patience, count_retries, patience, take_new_retries
from ah_ray.storage.uri import as_folder, host, join, local_path, normalise, parent, scheme

__all__ = [
    "Entry",
    "Patience",
    "as_folder",
    "check_conditions",
    "check_readable",
    "check_writable",
    "count_retries",
    "create_exclusive",
    "download",
    "exists",
    "host",
    "join",
    "list_folders",
    "list_pages",
    "local_path",
    "normalise",
    "open_read",
    "parent",
    "patience",
    "read_bytes",
    "read_range",
    "read_versioned",
    "remove",
    "remove_if",
    "replace_file",
    "replace_if",
    "scheme",
    "stat",
    "take_new_retries",
    "write_file",
    "write_whole",
]
