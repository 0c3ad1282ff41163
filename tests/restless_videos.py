"""Makes videos whose clock jumps, which no muxer would write: a valid file is overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path


def make_restless(path: Path, source: Path, times_ms: Callable[[int], int]) -> Path:
    """A WebM or Matroska file whose n-th picture has the time that `times_ms` gives, in any order.

    No muxer writes such a file: the time in each block is overwritten, and that of each cluster.
    """
    content = bytearray(source.read_bytes())
    n = 0
    for kind, start, stop in _elements(content, 0, len(content)):
        if kind == b"\xe7":  # Timestamp of a Cluster
            content[start:stop] = bytes(stop - start)
        elif kind == b"\xa3" and content[start] == 0x81:  # SimpleBlock of track 1
            content[start + 1 : start + 3] = times_ms(n).to_bytes(2, "big", signed=True)
            n += 1
    path.write_bytes(content)
    return path


def _elements(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content starts and stops) of all EBML elements; Clusters are entered."""
    while at < end:
        n_kind = 9 - content[at].bit_length()
        kind, at = bytes(content[at : at + n_kind]), at + n_kind
        n_size = 9 - content[at].bit_length()
        size = int.from_bytes(content[at : at + n_size], "big") & ((1 << 7 * n_size) - 1)
        at += n_size
        stop = end if size == (1 << 7 * n_size) - 1 else at + size
        if kind in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):  # Segment, Cluster
            yield from _elements(content, at, stop)
        else:
            yield kind, at, stop
        at = stop
