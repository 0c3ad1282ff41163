"""Files that are refused by their content, before ffmpeg sees them.

A playlist, a script or a movie that keeps its media elsewhere names other resources. ffmpeg is
kept from opening those (`ffmpeg.input_options`); here they are recognised, to say so plainly.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError

_HEAD_BYTES = 4096

# `*+` never goes back: a file that is all comments would take a thousand years otherwise.
_PLAYLISTS = {
    "an HLS playlist": rb"#EXTM3U",
    "a DASH manifest": rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*+<MPD\b",
    "a Smooth Streaming manifest": rb"(?:<\?xml[^>]*>\s*)?<SmoothStreamingMedia\b",
    "an ASX playlist": rb"(?i:<asx\b|\[reference\])",
    "a PLS playlist": rb"(?i:\[playlist\])",
    "a concat script": rb"ffconcat version|(?:#[^\n]*\n\s*)*file\s+\S",
    "an SDP session": rb"v=0\r?\n(?:[a-z]=[^\n]*\n)*?[om]=",
    "a stream's address": rb"(?i:rtsp|rtmp|rtp|udp|https?)://|RTSPtext",
}

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")

_WAY_TO_DREF = (b"moov", b"trak", b"mdia", b"minf", b"dinf")
_MAX_BOXES = 20_000  # of a file, on the way: no real one comes near, a hostile one holds billions
_SELF_CONTAINED = 1  # flag of a data reference: the media is in this file


def check_file(path: Path, limits: Limits) -> int:
    """The file's size in bytes, if it may be given to ffmpeg.

    Raises VideoError: `unreadable` if it is empty or no plain file, `refused` if it is too large
    or names other resources, `no_video` if it is a single picture.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(ErrorKind.UNREADABLE, "this is not a plain file")
        if not status.st_size:
            raise VideoError(ErrorKind.UNREADABLE, "the file is empty")
        if status.st_size > limits.max_bytes:
            raise VideoError(
                ErrorKind.REFUSED,
                f"{status.st_size} bytes are more than --max-bytes {limits.max_bytes}",
            )
        with path.open("rb") as file:
            _check_content(file, status.st_size)
    except OSError as error:
        raise VideoError(
            ErrorKind.UNREADABLE, f"the file cannot be read: {os.strerror(error.errno or 0)}"
        ) from None
    return status.st_size


def _check_content(file: BinaryIO, size_bytes: int) -> None:
    head = file.read(_HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for name, pattern in _PLAYLISTS.items():
        if re.match(pattern, text, re.DOTALL):
            raise VideoError(
                ErrorKind.REFUSED,
                f"this is {name}, which names other resources: give the recording itself",
            )
    if head.startswith(_PICTURES):
        raise VideoError(ErrorKind.NO_VIDEO, "this is a single picture, not a video")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"):
        _check_references(file, 0, size_bytes, iter(range(_MAX_BOXES)))


def _check_references(
    file: BinaryIO, start: int, end: int, allowance: Iterator[int], depth: int = 0
) -> None:
    """Refuses an MP4 or MOV whose samples, or whole movie, lie in another file."""
    for kind, body, body_end in _boxes(file, start, end, allowance):
        if kind in _WAY_TO_DREF[depth : depth + 1]:
            _check_references(file, body, body_end, allowance, depth + 1)
        elif kind == b"rmra":
            raise _external()
        elif kind == b"dref":
            for _, reference, reference_end in _boxes(file, body + 8, body_end, allowance):
                file.seek(reference)
                flags = file.read(4)
                if reference_end - reference >= 4 and not flags[3] & _SELF_CONTAINED:
                    raise _external()


def _boxes(
    file: BinaryIO, start: int, end: int, allowance: Iterator[int]
) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the content, its end) of the boxes between two offsets.

    Each takes one off the allowance, which all levels share.
    """
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
        if size < content - start:
            return
        yield kind, content, min(start + size, end)
        start += size


def _external() -> VideoError:
    return VideoError(
        ErrorKind.REFUSED,
        "this movie keeps its media in another file: save it as self-contained",
    )
