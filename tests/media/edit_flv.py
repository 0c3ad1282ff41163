"""Reads and writes the tags of FLV files, at any times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

SOUND, PICTURE, SCRIPT = 8, 9, 18
_HEADER = b"FLV\1\5\0\0\0\x09\0\0\0\0"


@dataclass(frozen=True, slots=True)
class Tag:
    """One packet: its kind (sound, picture, script), its time in ms, its bytes."""

    kind: int
    ms: int
    content: bytes

    def moved(self, ms: int) -> Tag:
        return replace(self, ms=self.ms + ms)


def read(path: Path) -> list[Tag]:
    """Return the tags of a file, without the script that names its length."""
    data, at, tags = path.read_bytes(), 13, []
    while at < len(data):
        kind, size = data[at] & 31, int.from_bytes(data[at + 1 : at + 4], "big")
        ms = data[at + 7] << 24 | int.from_bytes(data[at + 4 : at + 7], "big")
        tags.append(Tag(kind, ms, data[at + 11 : at + 11 + size]))
        at += 15 + size
    return [tag for tag in tags if tag.kind != SCRIPT]


def write(path: Path, tags: Iterable[Tag]) -> Path:
    """Write tags in the order given."""
    parts = [_HEADER]
    for tag in tags:
        ms = tag.ms & 0xFFFFFFFF
        head = bytes([tag.kind]) + len(tag.content).to_bytes(3, "big")
        head += (ms & 0xFFFFFF).to_bytes(3, "big") + bytes([ms >> 24]) + b"\0\0\0"
        body = head + tag.content
        parts.append(body + len(body).to_bytes(4, "big"))
    path.write_bytes(b"".join(parts))
    return path
