"""The messages between a process that decodes a recording and the process that asked for it.

    <- plan                    the profile, the windows, the limits
    -> opened                  how long it is, which windows that makes
    -> clip, clip, …           header, pixels, samples; or why there is none
    -> facts                   what is known of the recording as a whole
    or -> failed               why there are no clips

A message is a length, a JSON header of at most 64 KiB, then bytes whose number follows from the
header. The decoding process has read a file that a stranger may have made, so its reader
(`decode_process`) checks every value; texts for people are made here, from a code and numbers.
"""

from __future__ import annotations

import json
import math
import os
import struct
from typing import Any

from ah_ray.errors import ErrorKind, VideoError

LENGTH = struct.Struct("!I")
MOST_HEADER_BYTES = 1 << 16
REPORT = struct.Struct("!id")
"""How a child ended: exit status (negative: the signal that ended it), CPU-seconds."""

NO_PTS = -(2**63)  # in a list of packets: the container does not say when a packet is shown
KEY, DISCARDED = 1, 4  # flags of a packet: a key frame; decoded for others, but not shown


class Failure(Exception):
    """Why a recording, or a window of it, cannot be decoded: a code of REASONS and its numbers."""

    def __init__(self, code: str, **numbers: float):
        super().__init__(code)
        self.code, self.numbers = code, numbers

    def as_error(self) -> VideoError:
        """Return the error for people."""
        return make_error(self.code, self.numbers)


REASONS: dict[str, tuple[ErrorKind, str]] = {
    "not_media": (
        ErrorKind.UNREADABLE,
        "this is not a media file, or its beginning is damaged",
    ),
    "no_index": (
        ErrorKind.UNREADABLE,
        "its index (moov) is missing: the upload or the recording was cut off",
    ),
    "other_container": (
        ErrorKind.REFUSED,
        "this is not one of the containers that are read: convert it to MP4, WebM or MPEG-TS",
    ),
    "no_picture_track": (
        ErrorKind.NO_VIDEO,
        "there is no moving picture in it, only sound or a cover picture",
    ),
    "single_picture": (ErrorKind.NO_VIDEO, "this is a single picture, not a video"),
    "picture_encrypted": (
        ErrorKind.DECODE,
        "its picture is encrypted: upload a copy without protection (DRM)",
    ),
    "no_decoder": (
        ErrorKind.DECODE,
        "there is no decoder for its video: convert it to H.264",
    ),
    "no_picture": (ErrorKind.DECODE, "it opens, but none of its pictures can be decoded"),
    "strip": (
        ErrorKind.REFUSED,
        "the picture of {width:.0f}×{height:.0f} px is a strip: more than 200 times as long as it "
        "is wide",
    ),
    "too_many_pixels": (
        ErrorKind.REFUSED,
        "{width:.0f}×{height:.0f} px a frame are more than --max-pixels {most:.0f}",
    ),
    "too_many_frames": (
        ErrorKind.REFUSED,
        "it has more than {most:.0f} frames: raise --max-duration-s, which allows 120 a second",
    ),
    "too_long": (
        ErrorKind.REFUSED,
        "{seconds:.0f} s are more than --max-duration-s {most:g}",
    ),
    "out_of_memory": (
        ErrorKind.REFUSED,
        "decoding needs more memory than --max-memory-bytes {most:.0f}",
    ),
    "picture_damaged": (ErrorKind.DECODE, "the picture is damaged from {second:.1f} s on"),
    "picture_missing": (ErrorKind.DECODE, "no picture of it could be decoded"),
    "cut_off": (
        ErrorKind.DECODE,
        "the file is cut off: its picture ends at {second:.1f} s",
    ),
    "clock": (
        ErrorKind.DECODE,
        "its clock goes back at {second:.1f} s, and nothing tells which sound belongs to which "
        "picture from there on",
    ),
    "clock_leaps": (ErrorKind.DECODE, "the times of its pictures jump back and forth"),
    "edit_list": (
        ErrorKind.DECODE,
        "its edit list has a pause at {second:.1f} s, which is not supported: export it again "
        "without edits",
    ),
    "internal": (ErrorKind.DECODE, "the decoder failed on it: its structure is damaged"),
}


def make_error(code: Any, numbers: Any) -> VideoError:
    """Return the error that a code and its numbers stand for.

    They may come from a hostile child: any other value is the error `internal`.
    """
    kind, text = REASONS.get(code if isinstance(code, str) else "", REASONS["internal"])
    values = numbers if isinstance(numbers, dict) else {}
    known = {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
    try:
        return VideoError(kind, text.format(**known))
    except (KeyError, ValueError, OverflowError):
        return VideoError(ErrorKind.DECODE, REASONS["internal"][1])


def send(descriptor: int, header: dict[str, Any], *parts: Any) -> None:
    """Send one message: a header, and the bytes of arrays that follow it."""
    content = json.dumps(header, separators=(",", ":")).encode()
    write_all(descriptor, LENGTH.pack(len(content)) + content)
    for part in parts:
        write_all(descriptor, part)


def write_all(descriptor: int, content: Any) -> None:
    """Write all bytes of a buffer; the cage has `write`, but none of the calls for sockets."""
    rest = memoryview(content).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> dict[str, Any]:
    """Receive one header from the process that asks, which is trusted."""
    (n_bytes,) = LENGTH.unpack(_read_exactly(descriptor, LENGTH.size))
    header: dict[str, Any] = json.loads(_read_exactly(descriptor, n_bytes))
    return header


def _read_exactly(descriptor: int, n_bytes: int) -> bytes:
    found = bytearray()
    while len(found) < n_bytes:
        part = os.read(descriptor, n_bytes - len(found))
        if not part:
            raise EOFError("the process that asked is gone")
        found += part
    return bytes(found)
