"""The boxes of an MP4 or MOV file, read without believing their lengths (ISO/IEC 14496-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MOST_BOXES = 20_000
"""Of one parent. No real file comes near; a hostile one holds billions."""

_MOST_BYTES = 1 << 20

FIRST_KINDS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""With which of them a file may begin."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, and where its content lies in the file."""

    kind: bytes
    start: int
    end: int

    def read(self, file: BinaryIO, n_bytes: int) -> bytes:
        """Return the beginning of the content."""
        file.seek(self.start)
        return file.read(max(0, min(n_bytes, self.end - self.start, _MOST_BYTES)))


def read_boxes(file: BinaryIO) -> Iterator[Box]:
    """Yield the outermost boxes of a file; none if it is not an MP4."""
    file.seek(0)
    if file.read(8)[4:8] not in FIRST_KINDS:
        return
    end = file.seek(0, 2)
    yield from read_boxes_between(file, 0, end, iter(range(_MOST_BOXES)))


def read_boxes_in(file: BinaryIO, parent: Box) -> Iterator[Box]:
    """Yield the boxes that are the content of another."""
    yield from read_boxes_between(file, parent.start, parent.end, iter(range(_MOST_BOXES)))


def read_boxes_between(
    file: BinaryIO, start: int, end: int, allowance: Iterator[int]
) -> Iterator[Box]:
    """Yield the boxes between two offsets; each takes one off the allowance."""
    for _ in allowance:
        if start + 8 > end:
            return
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        elif size == 0:
            size = end - start
        if size < content - start or content > end:
            return
        yield Box(kind, content, min(start + size, end))
        start += size
