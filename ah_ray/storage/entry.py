"""One object, as a listing tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object and the version of it that was seen.

    `etag` and the two after it are null for a name that stands in a local folder but is no file
    that can be read: a dangling link, a pipe, a device.
    """

    uri: str
    key: str  # relative to the listed prefix, '/' between its parts; the last part, from `stat`
    size_bytes: int | None
    etag: str | None  # S3: without quotes; locally: a hash of size and mtime_ns
    last_modified: datetime | None
