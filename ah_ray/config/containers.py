"""The containers that are read, what is known of each, and how media libraries may reach them.

Every container here holds its own media. Playlists, scripts and image sequences name other files,
so they are not in the table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A file format around compressed tracks."""

    demuxer: str  # libav's name
    endings: tuple[str, ...] = ()  # of names that count as video by default
    clock_period_s: float | None = None  # the clock overflows after this time; None: never
    counts_pictures: bool = False
    """The container counts pictures in decoding order and stores no times. libav guesses from the
    count when they are shown, and adds a delay that does not exist."""


LIBAV_PROTOCOLS = ""
"""None: the decoding child hands libav an open file, so no recording can name another resource."""

FFMPEG_PROTOCOLS = "fd"
"""Open descriptors alone, for the ffmpeg program that cuts and draws clips."""

CONTAINERS = (
    Container(demuxer="mov", endings=(".mp4", ".m4v", ".mov", ".3gp")),
    Container(demuxer="matroska", endings=(".webm", ".mkv")),
    Container(demuxer="avi", endings=(".avi",), counts_pictures=True),
    Container(demuxer="mpegts", endings=(".ts", ".mts", ".m2ts"), clock_period_s=2**33 / 90_000),
    Container(demuxer="mpeg", endings=(".mpg", ".mpeg"), clock_period_s=2**33 / 90_000),
    Container(demuxer="asf", endings=(".wmv",), clock_period_s=2**32 / 1000),
    Container(demuxer="flv", endings=(".flv",), clock_period_s=2**32 / 1000),
    Container(demuxer="ogg", endings=(".ogv",)),
    Container(demuxer="dv"),
    # Sound alone: such a file is opened to say that it has no picture.
    Container(demuxer="mp3"),
    Container(demuxer="wav"),
    Container(demuxer="aac"),
    Container(demuxer="flac"),
)

DEMUXERS = ",".join(container.demuxer for container in CONTAINERS)
"""What libav and ffmpeg may open, as their option `format_whitelist` takes it."""

VIDEO_ENDINGS = tuple(ending for container in CONTAINERS for ending in container.endings)
"""Endings of names that count as video by default."""

MIME_TYPES = {
    ".mkv": "video/x-matroska",
    ".ts": "video/mp2t",
    ".mts": "video/mp2t",
    ".m2ts": "video/mp2t",
}
"""Types by the ending, where Python's `mimetypes` knows none or takes it for something else."""


def find_container(format_name: str) -> Container:
    """Return the container of a libav format, such as `mov,mp4,m4a,3gp,3g2,mj2`.

    A format that is not in the table has no special properties.
    """
    demuxer = format_name.split(",")[0]
    found = (container for container in CONTAINERS if container.demuxer == demuxer)
    return next(found, Container(demuxer=demuxer))
