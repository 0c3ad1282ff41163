"""One object, as a listing describes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ah_ray.errors import ErrorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object and the version of it that was seen.

    `etag`, `size_bytes` and `last_modified` are null for a name in a local folder that is not a
    readable file: a dangling link, a pipe, a device, or a folder that may not be listed.
    `problem_kind` and `problem` then say why, as they do for a file that may not be read.
    """

    uri: str
    key: str  # relative to the listed prefix, '/' between its parts; the last part, from `stat`
    size_bytes: int | None
    etag: str | None  # S3: without quotes; locally: a hash of size and mtime_ns
    last_modified: datetime | None
    problem_kind: ErrorKind | None = None
    problem: str | None = None
    is_folder: bool = False  # only for a folder that may not be listed; others are not entries
