"""What must be known of a video before it is decoded: size, streams, when its frames should be.

One ffmpeg process lists the packets of the whole file without decoding them, and decodes one
picture: its size after rotation, and proof that it decodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.child import Child
from ah_ray.media.ffmpeg import input_options
from ah_ray.media.frames import check_count

_DISCARDED = 4  # packet flag: decoded for the sake of others, never shown (an edit list)
_NO_PTS = -(2**63)
_LOG_BYTES = 1 << 18
_TAGS = b"    "  # how their lines begin

_AUDIO = re.compile(r"^  Stream #0:(\d+)\S*: Audio: (?!none)(.*)$", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d+):(\d+\.\d+),", re.MULTILINE)
_DIMENSIONS = re.compile(rb"^#dimensions 0: (\d+)x(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """An estimate, from the container: the truth comes with the decoded frames."""

    width_px: int  # as displayed, after rotation
    height_px: int
    first_s: float  # when the first picture is shown, from where the file (its sound) begins
    times_s: np.ndarray  # [N] expected times of the frames, rising, from the first picture
    duration_s: float  # of the video stream
    container_s: float | None  # of the file as a whole, as its header promises
    audio_stream: int | None  # index in the file: the default one, else the first
    cpu_s: float


def probe(path: Path, *, limits: Limits, deadline: float) -> Probe:
    """Raises VideoError if the file is not a video that can be decoded within the limits."""
    listing, picture, log = _Packets(limits), bytearray(), HeaderLog()
    with Child(
        lambda fds: [
            *input_options(path, limits),
            *("-map", "0:V:0", "-c", "copy", "-f", "framecrc", "pipe:1"),
            *("-map", "0:V:0", "-frames:v", "1", "-c:v", "wrapped_avframe"),
            *("-f", "framecrc", f"pipe:{fds['picture']}"),
        ],
        limits=limits,
        deadline=deadline,
        outputs=("picture",),
    ) as child:
        for name, chunk in child.chunks():
            if name == "stdout":
                listing.feed(chunk)
            elif name == "picture":
                picture += chunk
            else:
                log.feed(chunk)
    text = log.text
    size = _DIMENSIONS.search(picture)
    if not size:
        raise _why_not(text, child, limits)
    width_px, height_px = int(size[1]), int(size[2])
    first_s, times_s, duration_s = listing.timeline()
    _check(width_px, height_px, duration_s, limits)
    return Probe(
        width_px=width_px,
        height_px=height_px,
        first_s=first_s,
        times_s=times_s,
        duration_s=duration_s,
        container_s=_container_s(text),
        audio_stream=_audio_stream(text),
        cpu_s=child.cpu_s,
    )


class HeaderLog:
    """What ffmpeg says, but for the tags and chapters of the file, which may be thousands."""

    def __init__(self) -> None:
        self.text = ""
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        kept = b"".join(line + b"\n" for line in lines if not line.startswith(_TAGS))
        self.text += kept[: max(0, _LOG_BYTES - len(self.text))].decode("utf-8", "replace")
        self._rest = self._rest[:_LOG_BYTES]


class _Packets:
    """Reads the `framecrc` listing of the video packets as it comes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._n_rows = 0
        self._tick_s = 0.0
        self._rest = b""
        self._rows: list[np.ndarray] = []  # each [n, 3] int64: dts, pts, duration
        self._n_discarded_first = 0

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        rows = []
        for line in lines:
            if line.startswith(b"#tb 0: "):
                ticks, per_s = line[7:].split(b"/")
                self._tick_s = int(ticks) / int(per_s)
            elif line.startswith(b"0,"):
                fields = line.split(b",", 6)
                if len(fields) > 6 and _is_discarded(fields[6]):
                    self._n_discarded_first += not self._rows and not rows
                    continue
                rows.append((int(fields[1]), int(fields[2]), int(fields[3])))
        if rows:
            self._rows.append(np.array(rows, np.int64))
            self._n_rows += len(rows)
            check_count(self._n_rows, self._limits)

    def timeline(self) -> tuple[float, np.ndarray, float]:
        """(the first picture, expected times of all from it, where the last one ends)."""
        if not self._rows:
            return 0.0, np.empty(0), 0.0
        dts, pts, durations = np.concatenate(self._rows).T
        ticks = dts if (pts == _NO_PTS).any() else pts
        known = ticks != _NO_PTS
        if not self._n_discarded_first:
            # A listing starts at a keyframe: what is shown before it refers to frames not here.
            known &= ticks >= ticks[0]
        if not known.any():
            return 0.0, np.empty(0), 0.0
        # As floats: the difference of two extremes has no room in 64 bits.
        ticks, durations = ticks[known].astype(float), durations[known]
        last = float(durations[ticks.argmax()])
        ticks = np.unique(ticks)
        if last <= 0:
            last = float(np.diff(ticks[-2:]).sum())
        times_s = (ticks - ticks[0]) * self._tick_s
        first_s = float(ticks[0]) * self._tick_s
        return first_s, times_s, float(times_s[-1] + last * self._tick_s)


def _is_discarded(fields: bytes) -> bool:
    """By the packet's flags, which the listing shows where they are not plain "keyframe"."""
    found = re.match(rb" F=0x([0-9A-Fa-f]+)", fields)
    return bool(found and int(found[1], 16) & _DISCARDED)


def _container_s(text: str) -> float | None:
    found = _DURATION.search(text)
    if not found:
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def _audio_stream(text: str) -> int | None:
    streams = _AUDIO.findall(text.split("Stream mapping:")[0])
    flagged = [index for index, description in streams if "(default)" in description]
    chosen = flagged or [index for index, _ in streams]
    return int(chosen[0]) if chosen else None


def _check(width_px: int, height_px: int, duration_s: float, limits: Limits) -> None:
    if width_px * height_px > limits.max_pixels:
        raise _too_many_pixels(f"{width_px}×{height_px}", limits)
    if duration_s > limits.max_duration_s:
        raise VideoError(
            ErrorKind.REFUSED,
            f"{duration_s:.0f} s are more than --max-duration-s {limits.max_duration_s:g}",
        )


def _too_many_pixels(size: str, limits: Limits) -> VideoError:
    return VideoError(
        ErrorKind.REFUSED, f"{size} px a frame are more than --max-pixels {limits.max_pixels}"
    )


def out_of_memory(limits: Limits) -> VideoError:
    """What to raise when ffmpeg met the end of its address space."""
    return VideoError(
        ErrorKind.REFUSED,
        f"decoding needs more memory than --max-memory-bytes {limits.max_memory_bytes}",
    )


def _why_not(text: str, child: Child, limits: Limits) -> VideoError:
    """The reason why no picture came, from what ffmpeg said."""
    too_large = re.search(r"Picture size (\d+)x(\d+) exceeds specified max pixel", text)
    if too_large:
        return _too_many_pixels(f"{too_large[1]}×{too_large[2]}", limits)
    if child.met_memory_limit or "Cannot allocate memory" in text or "get_buffer() failed" in text:
        return out_of_memory(limits)
    for mark, kind, message in _REASONS:
        if mark in text:
            return VideoError(kind, message)
    if (child.exit_status or 0) < 0:
        return VideoError(ErrorKind.DECODE, f"ffmpeg was ended by signal {-child.exit_status}")
    return VideoError(ErrorKind.DECODE, "it opens, but none of its pictures can be decoded")


_REASONS = (
    (
        "matches no streams",
        ErrorKind.NO_VIDEO,
        "there is no moving picture in it, only sound or a cover picture",
    ),
    (
        "moov atom not found",
        ErrorKind.UNREADABLE,
        "its index (moov) is missing: the upload or the recording was cut off",
    ),
    (
        "Format not on whitelist",
        ErrorKind.REFUSED,
        "this is not one of the containers that are read: convert it to MP4, WebM or MPEG-TS",
    ),
    (
        "Error opening input",
        ErrorKind.UNREADABLE,
        "this is not a media file, or its beginning is damaged",
    ),
    (
        "Decoder not found",
        ErrorKind.DECODE,
        "this ffmpeg has no decoder for its video: convert it to H.264",
    ),
)
