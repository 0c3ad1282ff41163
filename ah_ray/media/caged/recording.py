"""A recording, opened by its descriptor, and which of its tracks are used.

The containers and protocols that libav may use are in `ah_ray.config.containers`.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, cast

import av
from av.audio.stream import AudioStream
from av.container import Flags, InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from ah_ray.config.containers import DEMUXERS, LIBAV_PROTOCOLS

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_BYTES = 1 << 18


class DescriptorFile(io.RawIOBase):
    """A file object over a descriptor with a position of its own, so that several can share it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._size = os.lseek(descriptor, 0, os.SEEK_END)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = os.pread(self._descriptor, self._size if size < 0 else size, self._position)
        self._position += len(content)
        return content

    def readinto(self, target: WriteableBuffer) -> int:
        view = memoryview(target).cast("B")
        content = self.read(len(view))  # not `os.preadv`, which is a call that the cage denies
        view[: len(content)] = content
        return len(content)

    def seek(self, offset: int, origin: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[origin]
        if base + offset < 0:
            raise OSError("a position before the beginning of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position


def open_container(descriptor: int, max_pixels: int) -> InputContainer:
    """Open a recording for reading, from its beginning.

    Raises:
        av.error.FFmpegError: It is not a media file, or not of a container that is read.
    """
    container = av.open(
        DescriptorFile(descriptor),
        "r",
        options={
            "format_whitelist": DEMUXERS,
            "protocol_whitelist": LIBAV_PROTOCOLS,
            "max_pixels": str(max_pixels),
            "threads": "1",
            "correct_ts_overflow": "0",  # it takes a clock that starts again for one that wrapped
        },
        metadata_errors="replace",
        buffer_size=_READ_BYTES,
    )
    container.flags &= ~cast(int, Flags.gen_pts.value)  # PyAV's default: it makes up times for AVI
    return container


def picture_track(container: InputContainer, track: int) -> VideoStream:
    """Return the track of that index, which is a picture track."""
    stream = container.streams[track]
    assert isinstance(stream, VideoStream)
    return stream


def sound_track(container: InputContainer, track: int) -> AudioStream:
    """Return the track of that index, which is a sound track."""
    stream = container.streams[track]
    assert isinstance(stream, AudioStream)
    return stream


def discard_other_tracks(container: InputContainer, track: int) -> None:
    """Make the demuxer skip the packets of all tracks but one."""
    for stream in container.streams:
        if stream.index != track:
            stream.discard = Discard.all


def seconds_per_tick(stream: VideoStream | AudioStream) -> float:
    """Return the length of one tick of a track's clock, in seconds."""
    assert stream.time_base is not None  # only a track that is being written has none
    return float(stream.time_base)
