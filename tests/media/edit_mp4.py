"""Changes what an MP4's index says: edit lists, durations, flags, codec names.

The index must follow the media (`moov` last, as ffmpeg writes it), so that its size may change.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

_FOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex"}

Box = tuple[bytes, "bytes | list[Box]"]


def boxes(data: bytes) -> list[Box]:
    """Return (name, content) of each box; the content of those that hold others is a list."""
    found: list[Box] = []
    at = 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        begin = at + 8
        if size == 1:
            size, begin = struct.unpack(">Q", data[at + 8 : at + 16])[0], at + 16
        size = size or len(data) - at
        content = data[begin : at + size]
        found.append((name, boxes(content) if name in _FOLDERS else content))
        at += size
    return found


def write_boxes(tree: Sequence[Box]) -> bytes:
    parts = []
    for name, content in tree:
        inside = write_boxes(content) if isinstance(content, list) else content
        parts.append(struct.pack(">I4s", len(inside) + 8, name) + inside)
    return b"".join(parts)


def find(tree: Sequence[Box], *names: bytes) -> list[bytes]:
    """Return the contents of all boxes at the end of that way of names."""
    found = [content for name, content in tree if name == names[0]]
    if len(names) == 1:
        return [write_boxes(content) if isinstance(content, list) else content for content in found]
    return [inside for content in found for inside in find(content, *names[1:])]


def edit(
    source: Path, path: Path, change: Callable[[bytes, int, bytes | list[Box]], object]
) -> Path:
    """Write a copy in which `change` has replaced each box of the index.

    `change(name, track, content)` gets the index of the track that a box lies in (−1: none), and
    returns its new content, or null to leave the box out.
    """
    top = boxes(source.read_bytes())
    assert [name for name, _ in top][-1] == b"moov"
    track = -1

    def changed(tree: list[Box]) -> list[Box]:
        nonlocal track
        result: list[Box] = []
        for name, content in tree:
            track += name == b"trak"
            new = change(name, track, content)
            if isinstance(new, list):
                new = changed(new)
            if new is not None:
                result.append((name, new))
        return result

    path.write_bytes(write_boxes([*top[:-1], *changed([top[-1]])]))
    return path


def edit_list(entries: Sequence[tuple[int, int]], *, rate: int = 1) -> list[Box]:
    """Return the content of `edts`: (duration in movie units, start in media units or −1)."""
    body = struct.pack(">II", 1 << 24, len(entries))
    for duration, start in entries:
        body += struct.pack(">QqI", duration, start, rate << 16)
    return [(b"elst", body)]


def time_scale(source: Path, track: int | None = None) -> int:
    """Return the units a second of the movie, or of one of its tracks."""
    tree = boxes(source.read_bytes())
    head = (
        find(tree, b"moov", b"mvhd")[0]
        if track is None
        else find(tree, b"moov", b"trak", b"mdia", b"mdhd")[track]
    )
    return struct.unpack(">I", head[12:16] if head[0] == 0 else head[20:24])[0]


def with_edits(
    source: Path, path: Path, edits: dict[int, Sequence[tuple[float, float | None]]]
) -> Path:
    """Write a copy with edit lists: track → (seconds, from that second of the media; null: none).

    Seconds of the media count from its first sample that is shown (behind an encoder's delay).
    """
    movie = time_scale(source)
    old = _starts(source)

    def change(name: bytes, track: int, content: bytes | list[Box]) -> object:
        if name != b"edts" or track not in edits:
            return content
        media = time_scale(source, track)
        return edit_list(
            [
                (round(seconds * movie), -1 if at is None else old[track] + round(at * media))
                for seconds, at in edits[track]
            ]
        )

    return edit(source, path, change)


def _starts(source: Path) -> list[int]:
    tracks = find(boxes(source.read_bytes()), b"moov", b"trak", b"edts", b"elst")
    starts = []
    for body in tracks:
        at = 8
        starts.append(
            struct.unpack(">i", body[at + 4 : at + 8])[0]
            if body[0] == 0
            else struct.unpack(">q", body[at + 8 : at + 16])[0]
        )
    return starts


def with_last_duration(source: Path, path: Path, seconds: float, *, track: int = 0) -> Path:
    """Write a copy whose last sample of a track lasts that long."""

    def change(name: bytes, at: int, content: bytes | list[Box]) -> object:
        if name != b"stts" or at != track:
            return content
        count = struct.unpack(">I", content[4:8])[0]
        entries = [struct.unpack(">II", content[8 + 8 * n : 16 + 8 * n]) for n in range(count)]
        n_last, delta = entries.pop()
        entries += [(n_last - 1, delta)] if n_last > 1 else []
        entries.append((1, round(seconds * time_scale(source, track))))
        packed = b"".join(struct.pack(">II", *entry) for entry in entries)
        return content[:4] + struct.pack(">I", len(entries)) + packed

    return edit(source, path, change)


def with_codec_name(source: Path, path: Path, *, track: int, name: bytes) -> Path:
    """Write a copy whose track calls its codec by another name, and describes it no more."""

    def change(box: bytes, at: int, content: bytes | list[Box]) -> object:
        if box != b"stsd" or at != track:
            return content
        return content[:12] + name + content[16:].replace(b"esds", b"free")

    return edit(source, path, change)


def with_track_flags(source: Path, path: Path, flags: dict[int, int]) -> Path:
    """Write a copy whose tracks have these flags (1: enabled)."""

    def change(name: bytes, at: int, content: bytes | list[Box]) -> object:
        if name != b"tkhd" or at not in flags:
            return content
        return content[:1] + flags[at].to_bytes(3, "big") + content[4:]

    return edit(source, path, change)


def sample_places(tree: Sequence[Box], stbl: Sequence[bytes], track: int) -> list[tuple[int, int]]:
    """Return (place in the file, size) of each sample of a track."""
    sizes_box = find(tree, *stbl, b"stsz")[track]
    fixed, count = struct.unpack(">II", sizes_box[4:12])
    sizes = [fixed] * count if fixed else list(struct.unpack(f">{count}I", sizes_box[12:]))
    chunks = _table(find(tree, *stbl, b"stco")[track], 1)
    runs = _table(find(tree, *stbl, b"stsc")[track], 3)
    places, n = [], 0
    for chunk, (at,) in enumerate(chunks, 1):
        per_chunk = [samples for first, samples, _ in runs if first <= chunk][-1]
        for _ in range(per_chunk):
            if n < count:
                places.append((at, sizes[n]))
                at, n = at + sizes[n], n + 1
    return places


def _table(box: bytes, columns: int) -> list[tuple[int, ...]]:
    count = struct.unpack(">I", box[4:8])[0]
    row = struct.Struct(f">{columns}I")
    return [row.unpack_from(box, 8 + n * row.size) for n in range(count)]


def with_protection(source: Path, path: Path, *, tracks: Sequence[int]) -> Path:
    """Write a copy whose tracks say that they are encrypted by Common Encryption (CENC)."""

    def change(name: bytes, at: int, content: bytes | list[Box]) -> object:
        if name != b"stsd" or at not in tracks:
            return content
        entry = content[8:]
        kind = entry[4:8]
        protected = b"encv" if kind in (b"avc1", b"hvc1") else b"enca"
        sinf = write_boxes(
            [
                (b"frma", kind),
                (b"schm", bytes(4) + b"cenc" + struct.pack(">I", 0x10000)),
                (b"schi", write_boxes([(b"tenc", bytes(4) + b"\0\0\1\x08" + b"k" * 16)])),
            ]
        )
        body = entry[8:] + write_boxes([(b"sinf", sinf)])
        return content[:8] + write_boxes([(protected, body)])

    return edit(source, path, change)


def with_two_descriptions(first: Path, second: Path, path: Path) -> Path:
    """Write the pictures of two files as one track, whose description changes between them.

    Both hold one track without B-pictures, of the same time scale.
    """
    stbl = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
    trees = [boxes(source.read_bytes()) for source in (first, second)]
    contents, counts = [], []
    for source, tree in zip((first, second), trees, strict=True):
        data = source.read_bytes()
        places = sample_places(tree, stbl, 0)
        contents += [data[at : at + size] for at, size in places]
        counts.append(len(places))
    head = write_boxes([box for box in trees[0] if box[0] == b"ftyp"])
    starts, at = [], len(head) + 8
    for content in contents:
        starts.append(at)
        at += len(content)
    tables = {name: [find(tree, *stbl, name)[0] for tree in trees] for name in (b"stsd", b"stss")}
    keys = [key for (key,) in _table(tables[b"stss"][0], 1)]
    keys += [counts[0] + key for (key,) in _table(tables[b"stss"][1], 1)]
    delta = struct.unpack(">II", find(trees[0], *stbl, b"stts")[0][8:16])[1]
    ratio = sum(counts) / counts[0]

    def pack_integers(*values: int) -> bytes:
        return struct.pack(f">{len(values)}I", *values)

    new = {
        b"stsd": pack_integers(0, 2) + b"".join(table[8:] for table in tables[b"stsd"]),
        b"stts": pack_integers(0, 1, sum(counts), delta),
        b"stss": pack_integers(0, len(keys), *keys),
        b"stsz": pack_integers(0, 0, len(contents), *map(len, contents)),
        b"stsc": pack_integers(0, 2, 1, 1, 1, counts[0] + 1, 1, 2),
        b"stco": pack_integers(0, len(starts), *starts),
    }
    lengths = {b"mvhd": 16, b"mdhd": 16, b"tkhd": 20}

    def changed(tree: Sequence[Box]) -> list[Box]:
        result: list[Box] = []
        for name, content in tree:
            if name == b"edts":
                continue
            if isinstance(content, list):
                content = changed(content)
            elif name in lengths:
                at = lengths[name]
                seconds = struct.unpack(">I", content[at : at + 4])[0]
                content = content[:at] + pack_integers(round(seconds * ratio)) + content[at + 4 :]
            result.append((name, new.get(name, content)))
        return result

    index = write_boxes(changed([box for box in trees[0] if box[0] == b"moov"]))
    path.write_bytes(head + write_boxes([(b"mdat", b"".join(contents))]) + index)
    return path


def fragments(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return what a fragmented file begins with, and its fragments; its index of them is left."""
    top = boxes(data)
    first = next(n for n, (name, _) in enumerate(top) if name == b"moof")
    parts = [
        write_boxes(top[n : n + 2]) for n, (name, _) in enumerate(top) if name == b"moof"
    ]  # each with its media
    return write_boxes(top[:first]), parts
