"""Where the containers keep their fields: what the fuzzer looks for to lie in."""

from __future__ import annotations

from collections.abc import Mapping

_BOXES = (
    b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr",
    b"minf", b"dinf", b"dref", b"stbl", b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz",
    b"stco", b"avc1", b"avcC", b"hev1", b"mp4v", b"mp4a", b"esds", b"sowt", b"mvex", b"trex",
    b"moof", b"traf", b"tfhd", b"tfdt", b"trun", b"mfra", b"mdat",
)  # fmt: skip
_ELEMENTS = tuple(map(bytes.fromhex, (
    "1a45dfa3", "4286", "4282", "18538067", "114d9b74", "1549a966", "2ad7b1", "4489", "1654ae6b",
    "ae", "d7", "83", "86", "63a2", "23e383", "e0", "b0", "ba", "54b0", "e1", "b5", "9f",
    "1f43b675", "e7", "a3", "a0", "a1", "9b", "1c53bb6b", "b7", "1254c367",
)))  # fmt: skip
_CHUNKS = (b"RIFF", b"LIST", b"avih", b"strh", b"strf", b"movi", b"idx1", b"00dc", b"01wb", b"JUNK")
_PACKETS = (b"\x47\x40\x00", b"\x47\x50\x00", b"\x47\x41\x00", b"\x00\x00\x01\xe0",
            b"\x00\x00\x01\xc0", b"\x00\x00\x01\xb3", b"\x00\x00\x00\x01")  # fmt: skip

MARKS: Mapping[str, tuple[bytes, ...]] = {
    "mp4": _BOXES, "mov": _BOXES, "mkv": _ELEMENTS, "webm": _ELEMENTS, "avi": _CHUNKS,
    "mpegts": _PACKETS,
}  # fmt: skip
"""What a container's fields stand behind."""

_OF_BOXES = (
    (b"mvhd", 12, 4), (b"mvhd", 16, 4), (b"tkhd", 20, 4), (b"tkhd", 76, 4), (b"tkhd", 80, 4),
    (b"mdhd", 12, 4), (b"mdhd", 16, 4), (b"elst", 4, 4), (b"elst", 8, 4), (b"elst", 12, 4),
    (b"stts", 4, 4), (b"stts", 8, 4), (b"stts", 12, 4), (b"ctts", 12, 4), (b"stsc", 4, 4),
    (b"stsc", 12, 4), (b"stsz", 4, 4), (b"stsz", 8, 4), (b"stco", 4, 4), (b"avc1", 24, 2),
    (b"avc1", 26, 2), (b"mp4a", 16, 2), (b"mp4a", 24, 4), (b"trun", 4, 4), (b"tfdt", 4, 4),
)  # fmt: skip
_OF_ELEMENTS = (
    (b"\x44\x89\x88", 0, 8), (b"\x2a\xd7\xb1", 1, 3), (b"\x23\xe3\x83", 1, 4), (b"\xb0", 1, 2),
    (b"\xba", 1, 2), (b"\xb5\x88", 0, 8), (b"\x9f", 1, 1), (b"\xe7", 1, 2), (b"\xa3", 3, 2),
    (b"\x9b", 1, 2),
)  # fmt: skip
_OF_CHUNKS = (
    (b"avih", 4, 4), (b"avih", 20, 4), (b"avih", 28, 4), (b"avih", 36, 4), (b"avih", 40, 4),
    (b"strh", 24, 4), (b"strh", 28, 4), (b"strh", 32, 4), (b"strh", 36, 4), (b"strh", 48, 4),
    (b"strf", 8, 4), (b"strf", 12, 4), (b"strf", 16, 4),
)  # fmt: skip
_OF_PACKETS = (
    (b"\x00\x00\x01\xe0", 5, 5), (b"\x00\x00\x01\xc0", 5, 5), (b"\x00\x00\x01\xb3", 0, 3),
    (b"\x47\x40\x00", 1, 8), (b"\x00\x00\x01\xe0", 10, 5),
)  # fmt: skip

FIELDS: Mapping[str, tuple[tuple[bytes, int, int], ...]] = {
    "mp4": _OF_BOXES, "mov": _OF_BOXES, "mkv": _OF_ELEMENTS, "webm": _OF_ELEMENTS,
    "avi": _OF_CHUNKS, "mpegts": _OF_PACKETS,
}  # fmt: skip
"""Durations, rates, dimensions, counts: (mark, bytes from its end, width)."""

INDEXES = (b"stco", b"stsz", b"stts", b"stsc", b"trun", b"idx1", bytes.fromhex("1c53bb6b"))
"""Before what says which bytes are where."""
