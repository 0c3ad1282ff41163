"""Pauses in the edit list of an MP4. libav fills them with pictures of another time.

Source: ISO/IEC 14496-12, 8.6.6. An edit without media means that the last picture stands, in
silence. libav knows such an edit only as the first one, where it is a delay.
"""

from __future__ import annotations

from typing import BinaryIO

from ah_ray.media.mp4_boxes import Box, read_boxes, read_boxes_in

_EMPTY = -1
_MOST_EDITS = 10_000
Pauses = dict[int, list[tuple[float, float]]]


def read_pauses(file: BinaryIO) -> Pauses:
    """Return the pauses within each track of an MP4: (start, end) in seconds, by track id.

    A file of another kind, or one that is damaged, has none.
    """
    pauses: Pauses = {}
    for movie in read_boxes(file):
        if movie.kind != b"moov":
            continue
        parts = list(read_boxes_in(file, movie))
        per_s = next((_timescale(file, part) for part in parts if part.kind == b"mvhd"), 0)
        for track in parts:
            if track.kind == b"trak" and per_s:
                _add_pauses(file, track, per_s, pauses)
    return pauses


def _add_pauses(file: BinaryIO, track: Box, per_s: int, pauses: Pauses) -> None:
    track_id, edits = 0, []
    for part in read_boxes_in(file, track):
        if part.kind == b"tkhd":
            content = part.read(file, 24)
            place = 20 if content[:1] == b"\1" else 12
            track_id = int.from_bytes(content[place : place + 4], "big")
        elif part.kind == b"edts":
            edits = [_edits(file, box) for box in read_boxes_in(file, part) if box.kind == b"elst"]
    at, found = 0, []
    for number, (length, media_time) in enumerate(edits[0] if edits else []):
        if media_time == _EMPTY and number:
            found.append((at / per_s, (at + length) / per_s))
        at += length
    if found:
        pauses[track_id] = found


def _timescale(file: BinaryIO, box: Box) -> int:
    content = box.read(file, 24)
    place = 20 if content[:1] == b"\1" else 12
    return int.from_bytes(content[place : place + 4], "big")


def _edits(file: BinaryIO, box: Box) -> list[tuple[int, int]]:
    """Return (length in units of the movie, media time) of each edit."""
    head = box.read(file, 8)
    wide = head[:1] == b"\1"
    count = min(int.from_bytes(head[4:8], "big"), _MOST_EDITS)
    size, row = (8, 20) if wide else (4, 12)
    content = box.read(file, 8 + count * row)[8:]
    found = []
    for at in range(0, len(content) - row + 1, row):
        length = int.from_bytes(content[at : at + size], "big")
        media_time = int.from_bytes(content[at + size : at + 2 * size], "big", signed=True)
        found.append((length, media_time))
    return found
