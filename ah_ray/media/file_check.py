"""Files that are refused by their content, before ffmpeg sees them.

A playlist, a script or a movie that keeps its media elsewhere names other resources. libav is kept
from opening those (`caged.recording.open_container`); here they are recognised, for a clear error.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, StorageError, VideoError
from ah_ray.media.mp4_boxes import FIRST_KINDS, read_boxes, read_boxes_between

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

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_OBJECT_BYTES = 24  # a name of 16 bytes, then the size of the whole object
_MAX_ASF_OBJECTS = 1000

_WAY_TO_DREF = (b"moov", b"trak", b"mdia", b"minf", b"dinf")
_MAX_BOXES = 20_000  # of a file, on the way: no real one comes near, a hostile one holds billions
_SELF_CONTAINED = 1  # flag of a data reference: the media is in this file


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """What a look at a file's structure tells."""

    size_bytes: int
    has_second_movie: bool  # an MP4 or WMV that is followed by another, which is not read


def check_file(recording: BinaryIO, limits: Limits) -> CheckedFile:
    """Return what is known of a file that may be decoded.

    Args:
        recording: The file, open for reading; it is at its beginning afterwards.
        limits: What it may cost.

    Raises:
        VideoError: `unreadable` if it is empty or no plain file, `refused` if it is too large or
            names other resources, `no_video` if it is a single picture.
    """
    try:
        status = os.fstat(recording.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(ErrorKind.UNREADABLE, "this is not a plain file")
        if not status.st_size:
            raise VideoError(ErrorKind.UNREADABLE, "the file is empty")
        if status.st_size > limits.max_bytes:
            raise VideoError(
                ErrorKind.REFUSED,
                f"{status.st_size} bytes are more than --max-bytes {limits.max_bytes}",
            )
        recording.seek(0)
        second = _check_content(recording, status.st_size)
        recording.seek(0)
    except OSError as error:
        raise make_read_error(error) from None
    return CheckedFile(size_bytes=status.st_size, has_second_movie=second)


def make_read_error(error: OSError) -> VideoError | StorageError:
    """Return what a failed read means: a fault of the file system, or of the file."""
    reason = os.strerror(error.errno or 0)
    if error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT):
        return StorageError(f"the file system that holds the recording fails: {reason}")
    return VideoError(ErrorKind.UNREADABLE, f"the file cannot be read: {reason}")


def _check_content(file: BinaryIO, size_bytes: int) -> bool:
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
    if head.startswith(_ASF_HEADER):
        return _has_second_asf(file, size_bytes)
    if head[4:8] not in FIRST_KINDS:
        return False
    _check_references(file, 0, size_bytes, iter(range(_MAX_BOXES)))
    return _has_second_movie(file)


def _has_second_movie(file: BinaryIO) -> bool:
    """Return whether a whole movie is followed by another. Fragmented movies may be joined."""
    kinds = [box.kind for box in read_boxes(file)]
    return kinds.count(b"moov") > 1 and b"moof" not in kinds


def _has_second_asf(file: BinaryIO, size_bytes: int) -> bool:
    """Return whether the objects of an ASF file (WMV) are followed by another header."""
    at = 0
    for _ in range(_MAX_ASF_OBJECTS):
        file.seek(at)
        head = file.read(_ASF_OBJECT_BYTES)
        if at and head.startswith(_ASF_HEADER):
            return True
        n_bytes = int.from_bytes(head[16:_ASF_OBJECT_BYTES], "little")
        at += n_bytes
        if n_bytes < _ASF_OBJECT_BYTES or at >= size_bytes:
            break
    return False


def _check_references(
    file: BinaryIO, start: int, end: int, allowance: Iterator[int], depth: int = 0
) -> None:
    """Refuse an MP4 or MOV whose samples, or whole movie, lie in another file."""
    for box in read_boxes_between(file, start, end, allowance):
        if box.kind in _WAY_TO_DREF[depth : depth + 1]:
            _check_references(file, box.start, box.end, allowance, depth + 1)
        elif box.kind == b"rmra":
            raise _external()
        elif box.kind == b"dref":
            for reference in read_boxes_between(file, box.start + 8, box.end, allowance):
                flags = reference.read(file, 4)
                if len(flags) == 4 and not flags[3] & _SELF_CONTAINED:
                    raise _external()


def _external() -> VideoError:
    return VideoError(
        ErrorKind.REFUSED,
        "this movie keeps its media in another file: save it as self-contained",
    )
