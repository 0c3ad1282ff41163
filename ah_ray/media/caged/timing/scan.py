"""The list of all packets of a recording: when each is shown, without decoding any."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from ah_ray.config.containers import find_container
from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.recording import picture_track, seconds_per_tick, sound_track
from ah_ray.media.caged.timing.edit_list import Pauses
from ah_ray.media.caged.timing.key_frames import resets_decoder
from ah_ray.media.caged.timing.sessions import Packets
from ah_ray.media.caged.tracks import AnyPacket, Track, Tracks
from ah_ray.media.messages import Failure

_SMALL_STEP_S = 60.0
"""From one packet to the next where the clock turned over. A longer step is another clock."""

_NO_TICKS = -(2**63)
_ROUNDING_S = 1e-3
_INVISIBLE_IN_VP8 = 0x10  # the bit of a frame's first byte that is 0 if it is not shown


@dataclass(slots=True)
class _Track:
    tick_s: float
    times: array[int] = field(default_factory=lambda: array("q"))
    decode_times: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    flags: array[int] = field(default_factory=lambda: array("b"))
    order: array[int] = field(default_factory=lambda: array("q"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """The list of packets of a recording, and what was found while it was read."""

    pictures: Packets
    sound: Packets | None
    resets: np.ndarray  # [N] bool: picture packets that need nothing of what came before
    has_picture_times: bool  # False if the container gives decoding times alone (AVI)
    container_start_s: float  # by the clock of the packets
    container_end_s: float | None  # by the clock of the packets, as the header promises
    holes: tuple[int, ...]  # indices of picture packets right before which the file is damaged
    corrupt: frozenset[int]  # indices of picture packets that the container knows to be damaged
    is_cut_off: bool  # the file ends before its own index says so


_KEY, _SHOWN, _RESETS = 1, 2, 4


def scan_packets(
    container: InputContainer,
    packets: Iterator[AnyPacket],
    tracks: Tracks,
    pauses: Pauses,
    log: LibavLog,
    *,
    max_frames: int,
) -> Scan:
    """Read all packets of a recording, from its beginning to its end.

    Args:
        container: The recording.
        packets: All of its packets; some may have been looked at.
        tracks: Which of its tracks are used.
        pauses: What an edit list leaves empty (edit_list.read_pauses).
        log: The records of libav, for damage and the end of the file.
        max_frames: How many pictures it may have.

    Raises:
        Failure: `too_many_frames` for more pictures than any recording has that is not too long.
    """
    picture_stream = picture_track(container, tracks.picture)
    streams: dict[int, Track] = {tracks.picture: picture_stream}
    if tracks.sound is not None:
        streams[tracks.sound] = sound_track(container, tracks.sound)
    found = {index: _Track(seconds_per_tick(stream)) for index, stream in streams.items()}
    codec, extradata = _codec_of(picture_stream)
    is_vp8 = codec == "vp8"
    kind = find_container(container.format.name)
    counts = kind.counts_pictures
    pictures = found[tracks.picture]
    holes: list[int] = []
    corrupt: set[int] = set()
    place = 0
    try:
        for packet in packets:
            track = found.get(packet.stream_index)
            if track is None or not packet.size:
                continue
            dts = packet.dts
            pts = None if counts and track is pictures else packet.pts
            track.times.append(_NO_TICKS if pts is None else pts)
            track.decode_times.append(_NO_TICKS if dts is None else dts)
            track.durations.append(packet.duration or 0)
            shown = not packet.is_discard
            resets = False
            if track is pictures:
                resets = packet.is_keyframe and resets_decoder(codec, memoryview(packet), extradata)
                if is_vp8 and shown:
                    shown = bool(memoryview(packet)[0] & _INVISIBLE_IN_VP8)
                if packet.is_corrupt:
                    corrupt.add(len(track.times) - 1)
                if log.take_hole():
                    holes.append(len(track.times) - 1)
                if len(track.times) > max_frames:
                    raise Failure("too_many_frames", most=max_frames)
            flags = _KEY * packet.is_keyframe + _SHOWN * shown + _RESETS * resets
            track.flags.append(flags)
            track.order.append(place)
            place += 1
    except av.error.FFmpegError as error:
        log.note_error(error)
        if isinstance(error, MemoryError) or log.is_out_of_memory:
            raise
        log.note_cut_off()  # what came before it stands
    log.take_hole()  # with nothing after it, it harms no picture; but a cut-off file says so here
    quiet = {index: pauses.get(stream.id, []) for index, stream in streams.items()}
    if counts and not picture_stream.codec_context.has_b_frames:
        pictures.times = pictures.decode_times  # they are shown in the order in which they come
    turn_s = kind.clock_period_s
    picture = _packets(pictures, quiet[tracks.picture], turn_s, math.nan)
    times_s = picture[0].times_s[~np.isnan(picture[0].times_s)]
    start_s = float(times_s[0]) if len(times_s) else math.nan
    return Scan(
        pictures=picture[0],
        resets=(np.frombuffer(pictures.flags, np.int8) & _RESETS) > 0
        if pictures.flags
        else np.empty(0, bool),
        has_picture_times=picture[1],
        sound=None
        if tracks.sound is None
        else _packets(found[tracks.sound], quiet[tracks.sound], turn_s, start_s)[0],
        container_start_s=_container_start_s(container, turn_s, start_s),
        container_end_s=_container_end_s(container),
        holes=tuple(holes),
        corrupt=frozenset(corrupt),
        is_cut_off=log.is_cut_off,
    )


def unwrap_clock(times_s: np.ndarray, turn_s: float | None, *, start_s: float) -> np.ndarray:
    """Return times that go on where the clock turned over: `[N] float64`.

    Args:
        times_s: Times as the packets have them, NaN where there is none.
        turn_s: After how many seconds the clock begins at 0 again; None if it never does.
        start_s: A time of another track near the beginning, on whose side the first one is put.
    """
    known = np.flatnonzero(~np.isnan(times_s))
    if turn_s is None or not len(known) or np.isnan(start_s):
        return times_s
    steps_s = np.diff(times_s[known], prepend=start_s)
    turns = np.round(steps_s / turn_s)
    turns[np.abs(steps_s - turns * turn_s) > _SMALL_STEP_S] = 0
    unwrapped_s = times_s.copy()
    unwrapped_s[known] -= np.cumsum(turns) * turn_s
    return unwrapped_s


def _codec_of(stream: VideoStream) -> tuple[str, bytes | None]:
    context = stream.codec_context
    return context.codec.canonical_name, context.extradata


def _packets(
    track: _Track, pauses: list[tuple[float, float]], turn_s: float | None, start_s: float
) -> tuple[Packets, bool]:
    """Return packets, and whether the container has times at which they are shown."""
    times = np.frombuffer(track.times, np.int64) if track.times else np.empty(0, np.int64)
    decode = np.frombuffer(track.decode_times, np.int64) if track.times else times
    flags = np.frombuffer(track.flags, np.int8) if track.times else np.empty(0, np.int8)
    shown = (flags & _SHOWN) > 0
    has_times = bool((times != _NO_TICKS)[shown].all())
    if not has_times and (decode != _NO_TICKS).all():
        times = decode
    seconds = np.where(times == _NO_TICKS, np.nan, times.astype(float) * track.tick_s)
    for pause_s, end_s in pauses:
        shown = shown & ~((seconds >= pause_s - _ROUNDING_S) & (seconds < end_s - _ROUNDING_S))
    if len(seconds):
        first_s = seconds[int(np.argmax(~np.isnan(seconds)))]
        seconds = unwrap_clock(seconds, turn_s, start_s=first_s if math.isnan(start_s) else start_s)
    packets = Packets(
        times_s=seconds,
        durations_s=np.array(track.durations, float) * track.tick_s,
        is_key=(flags & _KEY) > 0,
        is_shown=shown,
        order=np.array(track.order, np.int64),
    )
    return packets, has_times


def _container_start_s(
    container: InputContainer, turn_s: float | None, first_picture_s: float
) -> float:
    start_s = np.array([(container.start_time or 0) / av.time_base])
    return float(unwrap_clock(start_s, turn_s, start_s=first_picture_s)[0])


def _container_end_s(container: InputContainer) -> float | None:
    if container.duration is None or container.duration <= 0:
        return None
    return ((container.start_time or 0) + container.duration) / av.time_base
