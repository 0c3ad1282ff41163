"""Ways to spoil a media file, each a pure function of its bytes and a seeded source of chance.

Some know nothing of containers and hit anywhere; others find the marks of a container's own fields
(boxes, EBML elements, RIFF chunks, packets) and lie in them: sizes, counts, times, dimensions.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from container_marks import FIELDS, INDEXES, MARKS

_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE,
             0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)  # fmt: skip

_TEXTS = (
    b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    b'<?xml version="1.0"?><!-- a --><MPD type="static"><Period/></MPD>\n',
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    b"[playlist]\nFile1=http://127.0.0.1:9/a.mp4\n",
    b"<html><body>403 Forbidden</body></html>\n",
    b"WEBVTT\n\n00:00.000 --> 00:05.000\nhello\n",
    b"1\n00:00:00,000 --> 00:00:05,000\nhello\n",
    b";FFMETADATA1\ntitle=x\n",
    b"<!---->" * 500,
    b"#\n " * 1300,
)


_LINES = (
    b"[dec:h264 @ 0x1] decoder -> pts:0 duration:1 keyframe:1 time_base:1/0",
    b"[vf#0:0 @ 0x1] filter_raw -> pts:1 time_base:1/0",
    b"corrupt decoded frame",
    b"Stream mapping:",
    b"partial file",
    b"Cannot allocate memory",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a mutation may look at beside the bytes: their container, and other valid files."""

    container: str
    others: tuple[bytes, ...]
    siblings: tuple[bytes, ...] = ()  # of the same container


Mutation = Callable[[bytes, random.Random, Seen], bytes]


def _span(data: bytes, rng: random.Random, longest: int) -> tuple[int, int]:
    """A stretch of the data, most often a short one."""
    length = min(len(data), max(1, int(longest * rng.random() ** 3)))
    start = rng.randrange(max(1, len(data) - length + 1))
    return start, start + length


def _overwrite(data: bytes, at: int, content: bytes) -> bytes:
    return (data[:at] + content + data[at + len(content) :])[: max(len(data), at)]


def flip_bits(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    spoiled = bytearray(data)
    for _ in range(int(2 ** rng.uniform(0, 9))):
        spoiled[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(spoiled)


def overwrite(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    start, stop = _span(data, rng, 4000)
    content = rng.choice((rng.randbytes, lambda n: b"\0" * n, lambda n: b"\xff" * n))
    return _overwrite(data, start, content(stop - start))


def truncate(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    return data[: rng.randrange(len(data))]


def remove(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    start, stop = _span(data, rng, len(data) // 2)
    return data[:start] + data[stop:]


def duplicate(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    start, stop = _span(data, rng, len(data) // 2)
    return data[:start] + data[start:stop] * rng.choice((2, 2, 3, 20)) + data[stop:]


def swap(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    a, b, c, d = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def splice(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """The beginning of one file, the rest of another."""
    other = rng.choice(seen.others)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def behead(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """The header of another file before this one's body."""
    n_bytes = rng.choice((8, 32, 188, 512, 2048))
    return rng.choice(seen.others)[:n_bytes] + data[n_bytes:]


def prepend(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    junk = rng.choice((b"\0", b"\xff", b"ID3\x04", b"\x89PNG", b"OggS", b"\x47", b"RIFF", b"\n"))
    return junk + rng.randbytes(rng.choice((0, 3, 100, 5000))) + data


def append_text(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """A playlist, a page or subtitles; alone, or with a video behind."""
    return rng.choice(_TEXTS) + rng.choice((b"", data))


def zero_index(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """Nothing but zeros where the container says what lies where."""
    found = [at for mark in INDEXES if (at := data.find(mark)) >= 0]
    at = rng.choice(found) + 4 if found else rng.randrange(len(data))
    return _overwrite(data, at, b"\0" * rng.choice((4, 16, 200, 2000)))


def extreme_integer(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """In a field behind one of the container's marks: a size, a count, a time, a dimension."""
    places = _places(data, rng, seen)
    for at, mark in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 4, 16)))):
        width = rng.choice((1, 2, 4, 4, 8))
        offset = at + len(mark) + rng.randrange(0, 48)
        data = _overwrite(data, offset, _integer(rng, width))
    return data


def lie(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """One duration, rate, dimension or count becomes what no recording has."""
    mark, offset, width = rng.choice(FIELDS[seen.container])
    at = data.find(mark)
    for _ in range(rng.choice((0, 0, 1, 5, 20))):
        at = data.find(mark, at + 1) if at >= 0 else at
    if at < 0:
        return extreme_integer(data, rng, seen)
    if mark[1:3] == b"\x89\x88":  # a float
        value = struct.pack(">d", rng.choice((1e7, 1e10, 1e13, 1e300, -1.0, 0.0, math.inf)))
    else:
        value = _integer(rng, width, "<" if seen.container == "avi" else ">")
    return _overwrite(data, at + len(mark) + offset, value)


def wrong_size(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """A box, element or chunk that says it is longer or shorter than it is."""
    at, mark = rng.choice(_places(data, rng, seen))
    if seen.container in ("mp4", "mov"):
        return _overwrite(data, max(0, at - 4), _integer(rng, 4, ">"))
    if seen.container == "avi":
        return _overwrite(data, at + 4, _integer(rng, 4, "<"))
    vint = rng.choice((b"\x80", b"\xff", b"\x01" + b"\xff" * 7, b"\x08\xff\xff\xff\xfe", b"\x00"))
    return _overwrite(data, at + len(mark), vint)


def nest(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """Boxes, elements or lists that hold themselves, hundreds deep."""
    depth = rng.choice((10, 300, 3000))
    if seen.container in ("mp4", "mov"):
        kind = rng.choice((b"moov", b"trak", b"mdia", b"minf", b"udta", b"meta", b"moof", b"wave"))
        nested = b"".join(struct.pack(">I", 8 * n) + kind for n in range(depth, 0, -1))
    elif seen.container == "avi":
        nested = (b"LIST" + struct.pack("<I", 0x7FFFFFFF) + b"hdrl") * depth
    else:
        nested = rng.choice((b"\x1f\x43\xb6\x75", b"\xae", b"\x11\x4d\x9b\x74", b"\xb6")) + b"\x84"
        nested *= depth
    at = rng.choice(_places(data, rng, seen))[0]
    at = max(0, at - 4) if seen.container in ("mp4", "mov") else at
    return data[:at] + nested + data[at:]


def rename(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """One kind of box or element in the place of another."""
    at, _ = rng.choice(_places(data, rng, seen))
    return _overwrite(data, at, rng.choice(MARKS[seen.container]))


def repeat(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    return data * rng.choice((2, 5))


def swap_boxes(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """A whole box, element or chunk of another file in the place of the one of the same kind."""
    other = rng.choice(seen.siblings or seen.others)
    places = _places(data, rng, seen)
    for at, mark in rng.sample(places, min(len(places), rng.choice((1, 1, 2, 5)))):
        found = other.find(mark)
        if not mark or found < 0 or at >= len(data):
            continue
        start, stop = _extent(data, at, mark, rng, seen)
        other_start, other_stop = _extent(other, found, mark, rng, seen)
        data = data[:start] + other[other_start:other_stop] + data[stop:]
    return data


def _extent(data: bytes, at: int, mark: bytes, rng: random.Random, seen: Seen) -> tuple[int, int]:
    """Where what begins with that mark begins and ends, as it says itself; a guess elsewhere."""
    if seen.container in ("mp4", "mov") and at >= 4:
        size = int.from_bytes(data[at - 4 : at], "big")
        return at - 4, min(len(data), at - 4 + max(8, size))
    if seen.container == "avi":
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        return at, min(len(data), at + 8 + size)
    if seen.container == "mpegts":
        return at, at + 188
    length = 9 - (data[at + len(mark)] if at + len(mark) < len(data) else 0x80).bit_length()
    field = data[at + len(mark) : at + len(mark) + length]
    size = int.from_bytes(field, "big") & (1 << 7 * length) - 1
    return at, min(len(data), at + len(mark) + length + min(size, 1 << 20))


def odd_structure(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """What is allowed and rare: padding, empty and unknown boxes, another order, long sizes."""
    tops = _tops(data, seen.container)
    if len(tops) < 2:
        return prepend(data, rng, seen)
    how = rng.choice(("pad", "pad", "shuffle", "repeat", "long size", "open end"))
    if how == "shuffle":
        rng.shuffle(tops)
    elif how == "repeat":
        tops.insert(rng.randrange(len(tops) + 1), rng.choice(tops))
    elif how == "long size" and seen.container in ("mp4", "mov"):
        n = rng.randrange(len(tops))
        box = tops[n]
        tops[n] = struct.pack(">I4sQ", 1, box[4:8], len(box) + 8) + box[8:]
    elif how == "open end" and seen.container in ("mp4", "mov"):
        tops[-1] = bytes(4) + tops[-1][4:]
    else:
        for _ in range(rng.choice((1, 1, 3, 40))):
            tops.insert(rng.randrange(len(tops) + 1), _padding(rng, seen.container))
    return b"".join(tops)


def _padding(rng: random.Random, container: str) -> bytes:
    content = rng.randbytes(rng.choice((0, 1, 8, 300)))
    if container in ("mp4", "mov"):
        name = rng.choice(
            (b"free", b"skip", b"wide", b"uuid", b"udta", b"mdat", b"\xa9xyz", b"styp")
        )
        return struct.pack(">I4s", 8 + len(content), name) + content
    if container == "avi":
        content += b"\0" * (len(content) % 2)
        return rng.choice((b"JUNK", b"IDIT", b"xxxx")) + struct.pack("<I", len(content)) + content
    if container == "mpegts":
        pid = rng.choice((b"\x1f\xff", b"\x00\x11", b"\x41\x00"))
        return (b"\x47" + pid + b"\x20\xb7" + content[:183]).ljust(188, b"\xff")
    name = rng.choice((b"\xec", b"\xbf", b"\x42\x54", b"\x1b\x53\x86\x67"))
    return name + (0x4000 | len(content)).to_bytes(2, "big") + content


def _tops(data: bytes, container: str) -> list[bytes]:
    """The file in the pieces that it is made of: boxes, packets, or clusters and what is around."""
    if container == "mpegts":
        return [data[at : at + 188] for at in range(0, len(data), 188)]
    if container in ("mp4", "mov"):
        tops, at = [], 0
        while at + 8 <= len(data) and len(tops) < 1000:
            size = max(8, int.from_bytes(data[at : at + 4], "big"))
            tops.append(data[at : at + size])
            at += size
        return [*tops, data[at:]]
    marks = {"avi": (b"00dc", b"01wb", b"LIST", b"idx1")}.get(
        container, (b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"\x1c\x53\xbb\x6b", b"\xa3")
    )
    cuts = sorted({at for mark in marks if (at := data.find(mark)) > 0})
    return [data[a:b] for a, b in pairwise([0, *cuts, len(data)])]


def hostile_text(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """Names and tags that speak as ffmpeg does when it decodes."""
    words = [found.span() for found in re.finditer(rb"[A-Za-z][A-Za-z0-9 .]{5,40}", data[:200_000])]
    if not words:
        return data
    for start, stop in rng.sample(words, min(len(words), rng.choice((1, 3, 10)))):
        line = b"\n" + rng.choice(_LINES) + b"\n"
        data = data[:start] + line[: stop - start].ljust(stop - start) + data[stop:]
    return data


def flip_track_flags(data: bytes, rng: random.Random, seen: Seen) -> bytes:
    """Tracks that are not enabled, not played or not the default, and others that are."""
    if seen.container in ("mp4", "mov"):
        marks, offset, width = (b"tkhd",), 1, 3
    else:
        marks, offset, width = (b"\x88\x81", b"\xb9\x81", b"\x55\xaa\x81", b"\x83\x81"), 0, 1
    places = [at + len(mark) + offset for mark in marks for at in _all(data, mark)]
    if not places:
        return flip_bits(data, rng, seen)
    for at in rng.sample(places, min(len(places), rng.choice((1, 2, 4)))):
        data = _overwrite(data, at, rng.choice((0, 1, 2, 3, 7, 16)).to_bytes(width, "big"))
    return data


def _all(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _places(data: bytes, rng: random.Random, seen: Seen) -> list[tuple[int, bytes]]:
    """Where a few kinds of the container's marks stand; somewhere, if there are none."""
    places = []
    marks = MARKS[seen.container]
    for mark in rng.sample(marks, min(len(marks), 12)):
        at = data.find(mark)
        while at >= 0 and len(places) < 500:
            places.append((at, mark))
            at = data.find(mark, at + 1)
    return places or [(rng.randrange(len(data)), b"")]


def _integer(rng: random.Random, width: int, order: str = "") -> bytes:
    value = rng.choice(_EXTREMES) if rng.random() < 0.8 else rng.getrandbits(8 * width)
    value &= (1 << 8 * width) - 1
    return value.to_bytes(width, "little" if (order or rng.choice("<>")) == "<" else "big")


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, overwrite, truncate, remove, duplicate, swap, splice, behead, prepend, append_text,
    zero_index, extreme_integer, extreme_integer, lie, lie, lie, wrong_size, wrong_size, nest,
    rename, repeat, swap_boxes, swap_boxes, odd_structure, odd_structure, hostile_text,
    flip_track_flags,
)  # fmt: skip


def mutated(data: bytes, rng: random.Random, seen: Seen) -> tuple[bytes, list[str]]:
    """The data after one to three mutations, and their names."""
    names = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3))):
        mutation = rng.choice(MUTATIONS)
        names.append(mutation.__name__)
        data = mutation(data, rng, seen) or b"\0"
    return data, names
