"""A window copied out of its video as it is, without encoding anew: quicker, and nothing is lost.

A stream can be cut only where a key frame stands, and a packet is not a picture: one that is shown
later may have to be decoded earlier. So a window is copied only if its packets are its pictures, no
more and no less, and what was written is compared with them; any other is encoded (clip_files).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import VideoError
from ah_ray.media.child import Child
from ah_ray.media.clip_files import NO_METADATA, run_ffmpeg, write_clip
from ah_ray.media.ffmpeg import input_options
from ah_ray.media.frames import check_count
from ah_ray.media.probe import HeaderLog, probe
from ah_ray.media.refuse import check_file

_KEY, _DISCARDED = 1, 4  # flags of a packet
_NO_PTS = -(2**63)
_ROUNDING_S = 1e-6
_PROMPTLY_S = 0.1  # a window whose first picture comes later still shows the one before it
_SOUNDS = {None, "aac", "mp3"}
_SHOWN_BY_BROWSERS = re.compile(r"^  Stream #0:0\S*: Video: h264 [^,]*, yuvj?420p\b", re.MULTILINE)
_PACKET = re.compile(rb"0, *(-?\d+), *(-?\d+), *-?\d+, *(\d+, 0x[0-9a-f]+)(?:, F=0x([0-9A-F]+))?")
_CODEC = re.compile(rb"#codec_id 0: (\S+)")
_TICK = re.compile(rb"#tb 0: (\d+)/(\d+)")


class Way(StrEnum):
    """How a clip came about."""

    COPIED = "copied"
    ENCODED = "encoded"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packets:
    """The packets of a file's pictures, in the order in which they are decoded."""

    may_be_copied: bool  # into an mp4 that browsers play
    times_s: np.ndarray  # [N] float64: when each is shown, from where the file begins
    is_key: np.ndarray  # [N] bool
    is_shown: np.ndarray  # [N] bool: False where an edit list hides it
    contents: tuple[bytes, ...]  # [N] size and checksum


class Source:
    """A video that clips are cut from; it is looked at once."""

    def __init__(self, path: Path, limits: Limits):
        """Raises VideoError if it is no video that can be decoded within the limits."""
        self._path, self._limits = path, limits
        self._timeout_s = limits.timeout_for(check_file(path, limits))
        found = probe(path, limits=limits, deadline=self._deadline())
        self._first_s, self._audio = found.first_s, found.audio_stream
        self._packets = self._listed(path, found.audio_stream)

    def cut(self, *, start_s: float, end_s: float, mp4: Path) -> Way:
        """Writes one window; times count from the first picture. None of the metadata goes along.

        Raises VideoError if the window cannot be decoded.
        """
        if self._copied(start_s, end_s, mp4):
            return Way.COPIED
        write_clip(self._path, start_s=start_s, end_s=end_s, mp4=mp4, limits=self._limits)
        return Way.ENCODED

    def _copied(self, start_s: float, end_s: float, mp4: Path) -> bool:
        rows = rows_of(self._packets, self._first_s + start_s, self._first_s + end_s)
        if rows is None or not self._packets.may_be_copied:
            return False
        sound = () if self._audio is None else ("-map", f"0:{self._audio}")
        from_s = float(self._packets.times_s[rows.start])
        command = [
            *input_options(self._path, self._limits, start_s=from_s, seconds=end_s - start_s),
            *("-y", "-loglevel", "error", "-map", "0:V:0", *sound, "-c", "copy"),
            *("-frames:v", str(rows.stop - rows.start), *NO_METADATA),
            *("-movflags", "+faststart", "-f", "mp4", f"file:{mp4}"),
        ]
        try:
            run_ffmpeg(command, self._limits, self._deadline())
            written = self._listed(mp4, None)
        except VideoError:  # if it is the video's own fault, encoding will say so
            return False
        return written.contents == self._packets.contents[rows] and bool(written.is_shown.all())

    def _listed(self, path: Path, audio: int | None) -> Packets:
        return list_packets(path, audio, limits=self._limits, deadline=self._deadline())

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s


def rows_of(packets: Packets, start_s: float, end_s: float) -> slice | None:
    """The packets of a window's pictures; None unless they can stand alone. Pure.

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


def list_packets(path: Path, audio: int | None, *, limits: Limits, deadline: float) -> Packets:
    """Reads all packets, without decoding them; `audio` is the stream that is copied too.

    Raises VideoError as `probe` does of the limits.
    """

    def command(fds: dict[str, int]) -> list[str]:
        picture = ("-map", "0:V:0", "-c", "copy", "-f", "framecrc", "pipe:1")
        if audio is None:
            return [*input_options(path, limits), *picture]
        sound = ("-map", f"0:{audio}", "-c", "copy", "-frames:a", "1")
        sound += ("-f", "framecrc", f"pipe:{fds['sound']}")
        return [*input_options(path, limits), *picture, *sound]

    said, log = {"stdout": bytearray(), "sound": bytearray()}, HeaderLog()
    with Child(command, limits=limits, deadline=deadline, outputs=("sound",)) as child:
        for name, chunk in child.chunks():
            if name == "stderr":
                log.feed(chunk)
            else:
                said[name] += chunk
    tick, codec = _TICK.search(said["stdout"]), _CODEC.search(said["sound"])
    sound_codec = codec[1].decode() if codec else None
    found = [_PACKET.match(line) for line in said["stdout"].splitlines()]
    rows = [row.groups() for row in found if row]
    check_count(len(rows), limits)
    pts = np.array([int(row[1]) for row in rows], np.int64)
    flags = np.array([_KEY if row[3] is None else int(row[3], 16) for row in rows], int)
    written = log.text.split("Output #0")[-1]
    return Packets(
        may_be_copied=bool(_SHOWN_BY_BROWSERS.search(written))
        and sound_codec in _SOUNDS
        and not (pts == _NO_PTS).any(),
        times_s=pts * (int(tick[1]) / int(tick[2]) if tick else 0.0),
        is_key=(flags & _KEY) > 0,
        is_shown=(flags & _DISCARDED) == 0,
        contents=tuple(row[2] for row in rows),
    )
