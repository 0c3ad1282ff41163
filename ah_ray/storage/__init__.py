"""Objects by URI, wherever they lie: the only package that knows fsspec.

    list_pages stat exists            what is there
    read_bytes read_range open_read download     local_path, where a file can be opened in place
    write_whole write_file remove     whole objects or none
    read_versioned create_exclusive replace_if remove_if      writes with a condition
    check_readable check_writable     before a run starts

Faults that may pass are tried again (retry.py). What is left is raised as one of errors.py:
ObjectMissing, ObjectDenied, ObjectChanged, PreconditionFailed, or StorageError for all else.
Nothing is opened on import, so workers may be forked or spawned.
"""

from ah_ray.storage.access import check_readable, check_writable
from ah_ray.storage.entry import Entry
from ah_ray.storage.objects import (
    create_exclusive,
    download,
    exists,
    list_pages,
    open_read,
    read_bytes,
    read_range,
    read_versioned,
    remove,
    remove_if,
    replace_if,
    stat,
    write_file,
    write_whole,
)
from ah_ray.storage.retry import Patience, new_retries, patience, retries
from ah_ray.storage.uri import as_folder, host, join, local_path, normalise, parent, scheme

__all__ = [
    "Entry",
    "Patience",
    "as_folder",
    "check_readable",
    "check_writable",
    "create_exclusive",
    "download",
    "exists",
    "host",
    "join",
    "list_pages",
    "local_path",
    "new_retries",
    "normalise",
    "open_read",
    "parent",
    "patience",
    "read_bytes",
    "read_range",
    "read_versioned",
    "remove",
    "remove_if",
    "replace_if",
    "retries",
    "scheme",
    "stat",
    "write_file",
    "write_whole",
]
