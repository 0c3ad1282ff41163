"""The pictures of a recording that are wanted, decoded one after another.

Pictures that nothing refers to and nobody wants are skipped by the decoder itself. What is damaged
is noted by the packet at which libav complains, so a picture is known to be sound or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.recording import discard_other_tracks, picture_track
from ah_ray.media.caged.scaling import pixel_aspect_of
from ah_ray.media.caged.timing.scan import Scan
from ah_ray.media.caged.timing.timeline import Timeline

TICKS_PER_S = 1_000_000
_SAMPLE_S = 1.0
"""Pictures are known by their time on the timeline in microseconds, which packets carry along."""

_MOST_BYTES_OF_A_PIXEL, _LEAST_BYTES = 8, 1 << 20

_SkipMode = Literal["NONREF", "DEFAULT"]
_SKIP: _SkipMode = "NONREF"
_DECODE: _SkipMode = "DEFAULT"


@dataclass(slots=True)
class Damage:
    """A stretch of the picture that cannot be trusted: after `start_s`, before `end_s`."""

    start_s: float
    end_s: float = math.inf

    def covers(self, time_s: float) -> bool:
        return self.start_s < time_s < self.end_s


def ticks_of(seconds: np.ndarray | float) -> np.ndarray:
    """Return times in ticks: `int64`, of the shape of `seconds`."""
    return np.round(np.asarray(seconds) * TICKS_PER_S).astype(np.int64)


def _find_known_damage(scan: Scan, timeline: Timeline) -> list[Damage]:
    """Return what is known to be damaged before anything is decoded.

    A hole in the file may have cut the packet before it short, and what follows refers to what is
    lost, up to the next key frame.
    """
    least_s = 1 / TICKS_PER_S
    damages = [Damage(start_s - least_s, end_s) for start_s, end_s in timeline.unreferenced]
    keys = np.flatnonzero(scan.pictures.is_key)
    for hole in scan.holes:
        after = keys[keys >= hole]
        end = int(after[0]) if len(after) else len(timeline.picture_s)
        harmed_s = timeline.picture_s[max(0, hole - 1) : end]
        harmed_s = harmed_s[~np.isnan(harmed_s)]
        if len(harmed_s):
            end_s = float(timeline.picture_s[end]) if len(after) else math.inf
            damages.append(Damage(float(harmed_s.min()) - least_s, end_s))
    return damages


class PictureDecoder:
    """Decodes the picture track once, from its beginning."""

    def __init__(
        self,
        container: InputContainer,
        track: int,
        scan: Scan,
        timeline: Timeline,
        log: LibavLog,
        *,
        max_pixels: int,
    ) -> None:
        self.damages = _find_known_damage(scan, timeline)
        self.reached_s = -math.inf  # the time of the last picture that came out
        self._open: Damage | None = None
        self._container, self._timeline, self._log = container, timeline, log
        discard_other_tracks(container, track)
        self._stream = picture_track(container, track)
        self._codec = self._stream.codec_context
        self._codec.thread_count = 1
        self._codec.options = {"max_pixels": str(max_pixels)}
        try:
            self._codec.open(strict=False)  # some decoders read `skip_frame` only here
        except av.error.FFmpegError as error:
            log.note_error(error, needed_bytes=self._picture_bytes)
            raise
        self._name = self._codec.name
        self._first_aspect: float | None = None
        self._is_key, self._resets = scan.pictures.is_key, scan.resets
        self._corrupt = scan.corrupt

    def frames(self, wanted: set[int] | None) -> Iterator[tuple[int | None, VideoFrame]]:
        """Yield pictures as they come out of the decoder, each with its time in ticks.

        Of those that are not `wanted` some are missing; with None, all are decoded. The time is
        None where the container does not tell it.
        """
        times_s = self._timeline.picture_s
        ticks = np.where(np.isnan(times_s), -1, ticks_of(np.nan_to_num(times_s)))
        starts = set(self._timeline.starts)
        needed = self._needed(ticks, wanted)
        samples = self._samples_of_skipped(ticks, needed)
        skipping = _DECODE
        index = -1
        for packet in self._packets():
            if not packet.size:
                continue
            index += 1
            if index >= len(ticks):  # the file grew, or reads otherwise than before
                break
            if index in starts:
                yield from self._read_times(self._decode(None))
                self._codec.flush_buffers()
            tick = int(ticks[index])
            if self._is_key[index]:
                self._heal(tick / TICKS_PER_S)
            if not needed[index] and index not in samples:
                continue
            if index in self._corrupt and needed[index]:
                self._harm()
            packet.pts, packet.dts = (tick if tick >= 0 else None), None
            mode = _DECODE if wanted is None or tick in wanted else _SKIP
            if mode != skipping:
                self._codec.skip_frame = skipping = mode
            yield from self._read_times(self._decode(packet, is_needed=bool(needed[index])))
        yield from self._read_times(self._decode(None))

    @property
    def aspect_change(self) -> float:
        """Return the pixel aspect of the stream now, divided by that of the first picture.

        A broadcast or a camera changes the shape of its pixels in mid-stream; what the container
        says of it holds for the beginning.
        """
        aspect = pixel_aspect_of(self._codec.sample_aspect_ratio)
        if self._first_aspect is None:
            self._first_aspect = aspect
        return aspect / self._first_aspect

    def _needed(self, ticks: np.ndarray, wanted: set[int] | None) -> np.ndarray:
        """Return which packets a wanted picture can depend on: `[N] bool`.

        Between two key frames that reset the decoder, nothing after the last wanted picture does.
        """
        if wanted is None:
            return np.ones(len(ticks), bool)
        group = np.cumsum(self._resets)
        last = np.full(int(group[-1]) + 1 if len(group) else 0, -1)
        hits = np.flatnonzero(np.isin(ticks, np.fromiter(wanted, np.int64, len(wanted))))
        np.maximum.at(last, group[hits], hits)
        return np.asarray(np.arange(len(ticks)) <= last[group])

    def _samples_of_skipped(self, ticks: np.ndarray, needed: np.ndarray) -> set[int]:
        """Return key frames that are decoded between windows, to see when the size changes.

        There is about one in `_SAMPLE_S` of what is skipped. Nothing depends on them, so damage in
        them is no damage.
        """
        samples: set[int] = set()
        between = np.zeros(len(ticks), bool)
        used = np.flatnonzero(needed)
        if len(used):
            between[used[0] : used[-1]] = True
        last_s = -math.inf
        for index in np.flatnonzero(self._resets & between & (ticks >= 0)):
            time_s = ticks[index] / TICKS_PER_S
            if not needed[index] and time_s >= last_s + _SAMPLE_S:
                samples.add(int(index))
            if needed[index] or int(index) in samples:
                last_s = time_s
        return samples

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield packets until the file ends, or cannot be read further."""
        try:
            yield from self._container.demux(self._stream)
        except av.error.FFmpegError as error:
            self._log.note_error(error)

    def is_damaged(self, time_s: float) -> bool:
        """Return whether the picture of that time cannot be trusted."""
        return any(damage.covers(time_s) for damage in self.damages)

    def _decode(
        self, packet: Packet[VideoStream] | None, *, is_needed: bool = True
    ) -> list[VideoFrame]:
        try:
            frames = self._codec.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            frames = []
            if is_needed:
                self._harm()
            self._log.note_error(error, needed_bytes=self._picture_bytes)
        if self._log.take_damage(self._name):
            if is_needed:
                self._harm()
            self._log.note_error(None, needed_bytes=self._picture_bytes)
        return frames

    @property
    def _picture_bytes(self) -> int:
        """Return a number of bytes that no decoded picture exceeds."""
        return max(_LEAST_BYTES, _MOST_BYTES_OF_A_PIXEL * self._codec.width * self._codec.height)

    def _read_times(self, frames: list[VideoFrame]) -> Iterator[tuple[int | None, VideoFrame]]:
        for frame in frames:
            tick = frame.pts
            if tick is not None:
                if frame.is_corrupt:
                    self._harm(tick / TICKS_PER_S)
                self.reached_s = max(self.reached_s, tick / TICKS_PER_S)
            yield tick, frame

    def _harm(self, time_s: float | None = None) -> None:
        """Note damage from a picture on, or from after the last one: others refer to it."""
        start_s = self.reached_s if time_s is None else time_s - 1 / TICKS_PER_S
        if self._open is None:
            self._open = Damage(start_s)
            self.damages.append(self._open)
        else:
            self._open.start_s = min(self._open.start_s, start_s)

    def _heal(self, time_s: float) -> None:
        """End the damage at a key frame, which refers to nothing before it."""
        if self._open is not None and time_s > self._open.start_s:
            self._open.end_s = time_s
            self._open = None
