"""Changes the chunks of AVI files as ffmpeg writes them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

_PICTURE = b"00dc"


def with_empty_chunks(source: Path, path: Path, is_empty: Callable[[int], bool]) -> Path:
    """Write a copy in which some chunks of pictures hold nothing: the one before is shown on."""
    data = source.read_bytes()
    movie = data.index(b"movi") - 8
    size = struct.unpack("<I", data[movie + 4 : movie + 8])[0]
    head, chunks = data[:movie], data[movie + 12 : movie + 8 + size]
    body, index, at, n = bytearray(b"movi"), bytearray(), 0, 0
    while at + 8 <= len(chunks):
        name, length = struct.unpack_from("<4sI", chunks, at)
        content = chunks[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        if name == _PICTURE:
            content = b"" if is_empty(n) else content
            n += 1
        index += struct.pack("<4sIII", name, 0x10, len(body), len(content))
        body += struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)
    parts = head[12:] + struct.pack("<4sI", b"LIST", len(body)) + body
    parts += struct.pack("<4sI", b"idx1", len(index)) + index
    path.write_bytes(b"RIFF" + struct.pack("<I", len(parts) + 4) + b"AVI " + parts)
    return path
