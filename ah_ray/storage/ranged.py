"""A seekable file over anything that reads ranges: what Parquet readers need."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

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

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer) -> int:
        stop = min(self._at + len(buffer), self._size_bytes)
        if stop <= self._at:
            return 0
        data = self._read_range(self._at, stop)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_ranged(read_range: Callable[[int, int], bytes], size_bytes: int) -> BinaryIO:
    """A file of `size_bytes` whose bytes from start to stop are `read_range(start, stop)`."""
    return io.BufferedReader(_Ranged(read_range, size_bytes), _BUFFER_BYTES)
