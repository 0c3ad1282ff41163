"""Copy a window out of its video without encoding it again: it is faster, and nothing is lost.

A stream can be cut only where a key frame stands, and a packet is not a picture: one that is shown
later may have to be decoded earlier. So a window is copied only if its packets are its pictures, no
more and no less, and what was written is compared with them; any other is encoded (clip_files).
"""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import VideoError
from ah_ray.media.ffmpeg.clip_files import MAX_FILE_BYTES, mp4_output, write_clip
from ah_ray.media.ffmpeg.ffmpeg_process import recording_input, run_ffmpeg
from ah_ray.media.file_check import check_file
from ah_ray.media.packet_list import Packets, list_packets
from ah_ray.media.probe import probe
from ah_ray.media.sandbox.open_files import open_source, overwrite

_ROUNDING_S = 1e-6
_PROMPTLY_S = 0.1  # a window whose first picture comes later still shows the one before it


class Way(StrEnum):
    """How a clip came about."""

    COPIED = "copied"
    ENCODED = "encoded"


class Source:
    """A recording that clips are cut from, given as a path or an open file; it is looked at once.

    An open file must stay open as long as clips are cut from it.
    """

    def __init__(self, source: Path | BinaryIO, limits: Limits):
        """Raise VideoError if it is no video that can be decoded within the limits."""
        self._source, self._limits = source, limits
        with open_source(source) as recording:
            self._timeout_s = limits.timeout_for(check_file(recording, limits).size_bytes)
        found = probe(source, limits=limits, deadline=self._deadline())
        self._first_s, self._audio = found.first_s, found.sound_track
        self._picture, self._packets = found.picture_track, self._list_packets(source)

    def cut(self, *, start_s: float, end_s: float, mp4: Path | BinaryIO) -> Way:
        """Write one window into a path or an open file; times count from the first picture.

        None of the metadata goes along. Raise VideoError if the window cannot be decoded.
        """
        if self._copy_if_exact(start_s, end_s, mp4):
            return Way.COPIED
        write_clip(self._source, start_s=start_s, end_s=end_s, mp4=mp4, limits=self._limits)
        return Way.ENCODED

    def _copy_if_exact(self, start_s: float, end_s: float, mp4: Path | BinaryIO) -> bool:
        rows = rows_of(self._packets, self._first_s + start_s, self._first_s + end_s)
        if rows is None or not self._packets.may_be_copied:
            return False
        from_s = float(self._packets.times_s[rows.start])
        try:
            self._copy(from_s, end_s - start_s, rows.stop - rows.start, mp4)
            written = self._list_packets(mp4)
        except VideoError:  # if it is the video's own fault, encoding will say so
            return False
        return written.contents == self._packets.contents[rows] and bool(written.is_shown.all())

    def _copy(self, start_s: float, seconds: float, n_pictures: int, mp4: Path | BinaryIO) -> None:
        with open_source(self._source) as recording, overwrite(mp4) as file:
            cut = recording_input(recording, self._limits, start_s=start_s, seconds=seconds)
            sound = None if self._audio is None else cut[str(self._audio)]
            run_ffmpeg(
                mp4_output(
                    cut[str(self._picture)], sound, file, c="copy", **{"frames:v": n_pictures}
                ),
                files=[recording, file],
                limits=self._limits,
                deadline=self._deadline(),
                max_file_bytes=MAX_FILE_BYTES,
                reread=file,
            )

    def _list_packets(self, source: Path | BinaryIO) -> Packets:
        return list_packets(source, limits=self._limits, deadline=self._deadline())

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s


def rows_of(packets: Packets, start_s: float, end_s: float) -> slice | None:
    """Return the packets of a window's pictures; None unless they can stand alone. Pure.

    They must begin with a key frame that is shown first, and follow one another.
    """
    times_s = packets.times_s
    inside = np.flatnonzero((times_s >= start_s - _ROUNDING_S) & (times_s < end_s - _ROUNDING_S))
    if not len(inside):
        return None
    first, stop = int(inside[0]), int(inside[-1]) + 1
    alone = stop - first == len(inside) and bool(packets.is_shown[inside].all())
    begins = packets.is_key[first] and times_s[first] == times_s[inside].min()
    if not (alone and begins and times_s[first] - start_s < _PROMPTLY_S):
        return None
    return slice(first, stop)
