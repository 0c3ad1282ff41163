"""A seekable file on top of a function that reads byte ranges, for Parquet readers."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES = 1 << 20


class _Ranged(io.RawIOBase):
    def __init__(self, read_range: Callable[[int, int], bytes], size_bytes: int):
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


def open_ranged(read_range: Callable[[int, int], bytes], size_bytes: int) -> BinaryIO:
    """Return a file of `size_bytes` that calls `read_range(start, stop)` to read."""
    return io.BufferedReader(_Ranged(read_range, size_bytes), _BUFFER_BYTES)
