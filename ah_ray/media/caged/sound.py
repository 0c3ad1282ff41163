"""The sound of a recording as 16 kHz mono, every block of it at its own time.

The sound track is read by itself, only as far as the next clip needs it, so it does not matter
where in the file it lies. What has no sound is silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.recording import discard_other_tracks, seconds_per_tick, sound_track
from ah_ray.media.caged.timing.timeline import Timeline
from ah_ray.profile import SOUND_HZ

_JITTER_S = 0.06
"""A block belongs to the one before it if it begins no farther from its end than this: containers
round their times, and live recorders stamp packets as they arrive."""

_PIECE_S = 0.5
"""Blocks are joined to pieces of this length before they are resampled."""

_FAR_BELOW = 0.1
"""The mix counts as cancelled if its power is less than this part of the loudest channel's."""

_AUDIBLE = 1e-6  # power: below −60 dB nothing is there to be cancelled
_WEIGHTS = {"FC": 1.0, "FL": 0.5**0.5, "FR": 0.5**0.5, "LFE": 0.0, "LFE2": 0.0}
_SURROUND_WEIGHT = 0.5
_MOST_CHANNELS = 64
_PLANAR: dict[str, type[np.generic]] = {
    "u8p": np.uint8, "s16p": np.int16, "s32p": np.int32, "s64p": np.int64,
    "fltp": np.float32, "dblp": np.float64,
}  # fmt: skip
"""Formats with a plane for each channel, by libav's names."""


_Format = tuple[int, int, tuple[str, ...]]
"""Rate in Hz, number of channels, their names."""


@dataclass(slots=True)
class _Piece:
    """A stretch of sound: samples from a place on."""

    start: int
    samples: np.ndarray

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class SoundReader:
    """Reads the sound track forward and gives out the samples of one interval after another."""

    def __init__(
        self, container: InputContainer, track: int, timeline: Timeline, log: LibavLog
    ) -> None:
        self.is_opposite = False  # some of it had channels that cancel one another
        self.n_blocks = 0  # how many blocks could be decoded
        discard_other_tracks(container, track)
        self._stream = sound_track(container, track)
        self._codec = self._stream.codec_context
        self._codec.thread_count = 1
        self._log, self._timeline = log, timeline
        self._blocks = self._decode_all(container)
        self._pieces: deque[_Piece] = deque()
        self._joiner = _Joiner(self._pieces)
        self._is_over = False

    def take(self, start_s: float, end_s: float) -> np.ndarray:
        """Return the samples of an interval: `[round((end_s − start_s) · 16000)] float32`, −1…1.

        Intervals are asked for in the order of their starts.
        """
        start, n_samples = round(start_s * SOUND_HZ), round((end_s - start_s) * SOUND_HZ)
        self._joiner.is_needed_from(start)
        self._read_to(end_s)
        taken = np.zeros(n_samples, np.float32)
        for piece in self._pieces:
            low, high = max(start, piece.start), min(start + n_samples, piece.end)
            if low < high:
                taken[low - start : high - start] = piece.samples[
                    low - piece.start : high - piece.start
                ]
        return np.clip(np.nan_to_num(taken, copy=False), -1.0, 1.0, out=taken)

    def drop_before(self, time_s: float) -> None:
        """Forget what no clip needs any more."""
        first = round(time_s * SOUND_HZ)
        while self._pieces and self._pieces[0].end <= first:
            self._pieces.popleft()

    def _read_to(self, end_s: float) -> None:
        while not self._is_over and self._joiner.reached_s < end_s + _JITTER_S:
            block = next(self._blocks, None)
            if block is None:
                self._is_over = True
                break
            self.n_blocks += 1
            self._joiner.add(*block)
        if self._is_over:
            self._joiner.flush()
        elif self._joiner.held_from_s < end_s:
            self._joiner.resample_held()  # the stretch goes on after this
        self.is_opposite = self.is_opposite or self._joiner.is_opposite

    def _decode_all(self, container: InputContainer) -> Iterator[tuple[float | None, AudioFrame]]:
        """Yield (time or None, block) of all that can be decoded."""
        places = self._timeline.sound_s
        starts = set(self._timeline.sound_starts)
        tick_s = seconds_per_tick(self._stream)
        index = -1
        try:
            for packet in container.demux(self._stream):
                if not packet.size:
                    continue
                index += 1
                if index >= len(places):
                    break
                if index in starts:
                    yield from self._decode(None, tick_s)
                    self._codec.flush_buffers()
                place_s = places[index]
                if np.isnan(place_s) and not packet.is_discard:
                    continue
                packet.pts = None if np.isnan(place_s) else round(place_s / tick_s)
                packet.dts = packet.pts
                yield from self._decode(packet, tick_s)
            yield from self._decode(None, tick_s)
        except av.error.FFmpegError as error:
            self._log.note_error(error)

    def _decode(
        self, packet: Packet[AudioStream] | None, tick_s: float
    ) -> Iterator[tuple[float | None, AudioFrame]]:
        try:
            frames = self._codec.decode(packet)
        except av.error.FFmpegError as error:
            frames = []
            self._log.note_error(error)
        self._log.drop()
        for frame in frames:
            yield (None if frame.pts is None else frame.pts * tick_s), frame


class _Joiner:
    """Puts blocks that follow one another into pieces, mixes and resamples those."""

    def __init__(self, pieces: deque[_Piece]) -> None:
        self.is_opposite = False
        self.reached_s = -np.inf  # where the last block ends
        self._pieces = pieces
        self._needed_from = 0
        self._format: _Format | None = None
        self._held: list[np.ndarray] = []  # each [channels, n]
        self._n_held = 0
        self._rate_hz = SOUND_HZ
        self._weights = np.ones(1, np.float32)
        self._resampler: AudioResampler | None = None
        self._next = 0  # where the resampler's next sample belongs
        self._held_end_s = -np.inf

    @property
    def held_from_s(self) -> float:
        """Return the time of the first sample that is not resampled yet, in seconds."""
        return self._held_end_s - self._n_held / self._rate_hz if self._n_held else np.inf

    def is_needed_from(self, place: int) -> None:
        self._needed_from = max(self._needed_from, place)

    def add(self, start_s: float | None, block: AudioFrame) -> None:
        """Take the next block; `start_s` is None if it follows the last one."""
        samples = _channels_of(block)
        rate_hz, layout = block.sample_rate, block.layout
        names = tuple(channel.name for channel in layout.channels)
        if start_s is None:
            start_s = self._held_end_s if np.isfinite(self._held_end_s) else 0.0
        key = (rate_hz, len(samples), names)
        follows = abs(start_s - self._held_end_s) <= _JITTER_S
        if key != self._format or not follows:
            self.flush()
            self._start(key, start_s, names)
        self._held.append(samples)
        self._n_held += samples.shape[1]
        self._held_end_s += samples.shape[1] / rate_hz
        self.reached_s = self._held_end_s
        if self._n_held >= _PIECE_S * rate_hz:
            self.resample_held()

    def flush(self) -> None:
        """Resample all that is held, and end the stretch."""
        if self._n_held:
            self.resample_held()
        if self._resampler is not None:
            self._store(self._resampler.resample(None))
        self._resampler = self._format = None

    def _start(self, key: _Format, start_s: float, names: tuple[str, ...]) -> None:
        self._format, self._rate_hz = key, key[0]
        self._weights = _mix_weights(names, key[1])
        self._next = round(start_s * SOUND_HZ)
        self._held_end_s = start_s
        if self._rate_hz != SOUND_HZ:
            self._resampler = AudioResampler(format="flt", layout="mono", rate=SOUND_HZ)

    def resample_held(self) -> None:
        """Mix and resample what is held; the resampler keeps about a millisecond back."""
        samples = np.concatenate(self._held, axis=1)
        self._held, self._n_held = [], 0
        mono = self._mix(samples)
        if self._resampler is None:
            self._keep(mono)
            return
        frame = AudioFrame.from_ndarray(mono[None], format="flt", layout="mono")
        frame.sample_rate = self._rate_hz
        frame.pts, frame.time_base = None, Fraction(1, self._rate_hz)
        self._store(self._resampler.resample(frame))

    def _mix(self, samples: np.ndarray) -> np.ndarray:
        """Return one channel of several: `[n] float32`; the loudest one if they cancel."""
        if len(samples) == 1:
            return np.ascontiguousarray(samples[0])
        mono = np.einsum("c,cn->n", self._weights, samples)
        power = np.einsum("cn,cn->c", samples, samples) / samples.shape[1]
        power = np.where(self._weights > 0, power, 0.0)
        loudest = int(power.argmax())
        mixed = float(np.square(mono).mean())
        alone = float(power[loudest]) * float(self._weights[loudest]) ** 2
        if power[loudest] > _AUDIBLE and mixed < _FAR_BELOW * alone:
            self.is_opposite = True
            return np.ascontiguousarray(samples[loudest])
        return np.asarray(mono, np.float32)

    def _store(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._keep(
                np.frombuffer(memoryview(frame.planes[0]), np.float32)[: frame.samples].copy()
            )

    def _keep(self, samples: np.ndarray) -> None:
        piece = _Piece(self._next, samples)
        self._next = piece.end
        if piece.end > self._needed_from:
            self._pieces.append(piece)


def _channels_of(block: AudioFrame) -> np.ndarray:
    """Return a block as `[channels, n] float32`.

    Planes are read one by one: PyAV's `to_ndarray` crashes where there are more than eight.
    """
    n_samples = block.samples
    n_channels = min(block.layout.nb_channels, _MOST_CHANNELS)
    dtype = _PLANAR.get(block.format.name)
    if dtype is not None:
        planes = block.planes[:n_channels]
        values = np.stack([np.frombuffer(memoryview(plane), dtype)[:n_samples] for plane in planes])
    else:
        values = block.to_ndarray().reshape(n_samples, -1).T[:n_channels]
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32) / -float(np.iinfo(values.dtype).min)
    return values.astype(np.float32, copy=False)


def _mix_weights(names: tuple[str, ...], n_channels: int) -> np.ndarray:
    """Return what each channel adds to the mix, 1 in all: `[channels] float32`.

    Known layouts are mixed as ffmpeg mixes them, the centre in front. Channels whose place is not
    known (ambisonics, several microphones) are averaged, so none is dropped.
    """
    known = [name for name in names if name in _WEIGHTS]
    weights = np.ones(n_channels, np.float32)
    if known and len(names) == n_channels and n_channels > 2:
        weights[:] = [_WEIGHTS.get(name, _SURROUND_WEIGHT) for name in names]
    if not weights.sum():
        weights[:] = 1.0
    weights /= weights.sum()
    return weights
