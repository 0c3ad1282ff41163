"""Files made of byte ranges: seekable ones for Parquet readers, and whole copies."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ah_ray.errors import ObjectChanged, StorageError
from ah_ray.naming import name_in_message
from ah_ray.storage.entry import Entry

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ReadRange = Callable[[int, int], bytes]
"""Returns the bytes from start to stop. Raises ObjectChanged if the object has changed."""

_BUFFER_BYTES = 1 << 20
_PIECE_BYTES = 4 << 20  # the longest range that Azure sends with a checksum


class _Ranged(io.RawIOBase):
    def __init__(self, read_range: ReadRange, size_bytes: int):
        self._read_range = read_range
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, origin: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[origin]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        stop = min(self._at + len(view), self._size_bytes)
        if stop <= self._at:
            return 0
        data = self._read_range(self._at, stop)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_ranged(read_range: ReadRange, size_bytes: int) -> BinaryIO:
    """Return a file of `size_bytes` that calls `read_range(start, stop)` to read."""
    return io.BufferedReader(_Ranged(read_range, size_bytes), _BUFFER_BYTES)


def open_version(found: Entry, read_range: Callable[..., bytes]) -> BinaryIO:
    """Return a file that reads ranges of the version that was found.

    `read_range(uri, start, stop, etag=…)` is the store's own.
    """
    read = partial(read_range, found.uri, etag=found.etag)
    return open_ranged(read, found.size_bytes or 0)


def copy_version(
    found: Entry, read_range: ReadRange, path: Path, *, etag: str | None, size_bytes: int | None
) -> None:
    """Write the object that was found to a file, range by range, if it has this etag and size.

    Each range is retried by itself, so a fault costs one range and not the whole download. Raise
    ObjectChanged if the object is another one than was listed.
    """
    if etag not in (None, found.etag) or size_bytes not in (None, found.size_bytes):
        raise ObjectChanged(
            f"reading {name_in_message(found.uri)}: it is no longer the object that was listed"
        )
    n_bytes = found.size_bytes or 0
    try:
        with path.open("wb") as file:
            for start in range(0, n_bytes, _PIECE_BYTES):
                file.write(read_range(start, min(start + _PIECE_BYTES, n_bytes)))
    except OSError as error:  # of the disk that is written to
        raise StorageError(f"copying to {name_in_message(str(path))}: {error.strerror}") from error
