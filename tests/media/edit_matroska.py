"""Writes Matroska and WebM files with any times, order and flags, from the packets of others.

ffmpeg's own muxer corrects what recorders get wrong: times that go back, tracks far apart. This one
writes the blocks that it gets, without a length and an index, as a browser does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

_SEGMENT, _INFO, _TRACKS, _CLUSTER = (
    bytes.fromhex(name) for name in ("18538067", "1549a966", "1654ae6b", "1f43b675")
)
_TRACK, _TIME, _BLOCK, _GROUP = (bytes.fromhex(name) for name in ("ae", "e7", "a3", "a0"))
_INSIDE_GROUP = bytes.fromhex("a1")
_REFERENCE = bytes.fromhex("fb")
_UNKNOWN = b"\x01" + b"\xff" * 7
_HEADER = bytes.fromhex("1a45dfa3")


@dataclass(frozen=True, slots=True)
class Block:
    """One packet: its track's number, its time in ms, whether it stands alone, its bytes."""

    track: int
    ms: int
    key: bool
    content: bytes
    is_laced: bool = False

    def moved(self, ms: int) -> Block:
        return replace(self, ms=self.ms + ms)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a Matroska file holds: its head, its tracks (one element each) and its blocks."""

    header: bytes
    info: bytes
    tracks: tuple[bytes, ...]
    blocks: tuple[Block, ...]

    def of(self, track: int) -> list[Block]:
        return [block for block in self.blocks if block.track == track]


def element(name: bytes | str, content: bytes) -> bytes:
    name = bytes.fromhex(name) if isinstance(name, str) else name
    return name + (1 << 56 | len(content)).to_bytes(8, "big") + content


def children(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return (name, content) of each element in a stretch of bytes."""
    found, at = [], 0
    while at < len(data):
        n = 9 - data[at].bit_length()
        name, at = data[at : at + n], at + n
        n = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + n], "big") & (1 << 7 * n) - 1
        at += n
        if size == (1 << 7 * n) - 1:
            size = len(data) - at
        found.append((name, data[at : at + size]))
        at += size
    return found


def read(path: Path) -> Contents:
    """Return what a file that ffmpeg wrote holds."""
    (header_name, header), (segment_name, segment), *_ = children(path.read_bytes())
    assert (header_name, segment_name) == (_HEADER, _SEGMENT)
    info, tracks, blocks = b"", [], []
    for name, content in children(segment):
        if name == _INFO:
            info = content
        elif name == _TRACKS:
            tracks = [inside for kind, inside in children(content) if kind == _TRACK]
        elif name == _CLUSTER:
            blocks += _blocks(content)
    return Contents(header, info, tuple(tracks), tuple(blocks))


def _blocks(cluster: bytes) -> Iterable[Block]:
    start_ms = 0
    for name, content in children(cluster):
        if name == _TIME:
            start_ms = int.from_bytes(content, "big")
        elif name == _BLOCK:
            yield _block(content, start_ms, key=bool(content[3] & 0x80))
        elif name == _GROUP:
            inside = dict(children(content))
            yield _block(inside[_INSIDE_GROUP], start_ms, key=_REFERENCE not in inside)


def _block(content: bytes, start_ms: int, *, key: bool) -> Block:
    ms = start_ms + int.from_bytes(content[1:3], "big", signed=True)
    return Block(content[0] & 0x7F, ms, key, content[4:])


def write(path: Path, tracks: Sequence[bytes], blocks: Iterable[Block], *, like: Contents) -> Path:
    """Write blocks in the order given, at the times given. `like` lends the header."""
    info = b"".join(
        element(name, content)
        for name, content in children(like.info)
        if name != bytes.fromhex("4489")  # the duration: nobody knows it while recording
    )
    parts = [element(_INFO, info), element(_TRACKS, b"".join(element(_TRACK, t) for t in tracks))]
    cluster: list[bytes] = []
    start_ms: int | None = None
    for block in blocks:
        if start_ms is None or not -1000 <= block.ms - start_ms <= 5000:
            parts += _closed(cluster)
            start_ms = max(0, block.ms)
            cluster = [element(_TIME, start_ms.to_bytes(8, "big"))]
        cluster.append(_simple_block(block, block.ms - start_ms))
    parts += _closed(cluster)
    path.write_bytes(element(_HEADER, like.header) + _SEGMENT + _UNKNOWN + b"".join(parts))
    return path


def _closed(cluster: list[bytes]) -> list[bytes]:
    return [element(_CLUSTER, b"".join(cluster))] if cluster else []


def _simple_block(block: Block, relative_ms: int) -> bytes:
    flags = bytes([0x80 * block.key + 2 * block.is_laced])
    head = bytes([0x80 | block.track]) + relative_ms.to_bytes(2, "big", signed=True)
    return element(_BLOCK, head + flags + block.content)


def with_field(track: bytes, name: str, content: bytes) -> bytes:
    """Return a track's element with one of its fields set; those of that name before are gone."""
    kept = [element(kind, inside) for kind, inside in children(track) if kind.hex() != name]
    return b"".join(kept) + element(name, content)


def field(track: bytes, name: str) -> bytes | None:
    return next((inside for kind, inside in children(track) if kind.hex() == name), None)


def in_time(*lists: Iterable[Block]) -> list[Block]:
    """Return the blocks of several lists by their times, as a recorder writes them."""
    return sorted((block for each in lists for block in each), key=lambda block: block.ms)


def with_parameter_sets(block: Block, codec_private: bytes) -> Block:
    """Return an H.264 block that carries the parameter sets of its track's header itself."""
    at, units = 6, []
    for count in (codec_private[5] & 0x1F, None):
        if count is None:
            count, at = codec_private[at], at + 1
        for _ in range(count):
            size = int.from_bytes(codec_private[at : at + 2], "big")
            units.append(size.to_bytes(4, "big") + codec_private[at + 2 : at + 2 + size])
            at += 2 + size
    return replace(block, content=b"".join(units) + block.content)


def laced(blocks: Sequence[Block]) -> Block:
    """Return one block that holds several, with Xiph's lacing, at the time of the first."""
    head = bytes([len(blocks) - 1])
    for block in blocks[:-1]:
        head += b"\xff" * (len(block.content) // 255) + bytes([len(block.content) % 255])
    content = head + b"".join(block.content for block in blocks)
    return replace(blocks[0], content=content, is_laced=True)


def as_vfw(track: bytes, name: bytes, size_px: tuple[int, int]) -> bytes:
    """Return the element of a picture track as Video for Windows describes it."""
    private = field(track, "63a2") or b""
    head = struct.pack("<IiiHH4sIiiII", 40 + len(private), *size_px, 1, 24, name, *[0] * 5)
    track = with_field(track, "86", b"V_MS/VFW/FOURCC")
    return with_field(track, "63a2", head + private)
