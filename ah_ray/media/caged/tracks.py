"""Which tracks of a recording are used: those that a player would show, if they can be decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from ah_ray.media.caged.log import LibavLog
from ah_ray.media.messages import Failure
from ah_ray.remarks import Remark

_NOT_MOVING = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_SAMPLED_PACKETS = 8
"""Of each sound track: enough to know whether it can be decoded."""

_MOST_SAMPLED = 1000
"""Of all tracks. A track that does not begin among them is taken as it is described."""

Track = VideoStream | AudioStream
AnyPacket: TypeAlias = "Packet[Stream]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """Which tracks of a recording are used, by their index in the file."""

    picture: int
    sound: int | None
    remarks: tuple[Remark, ...] = ()


def choose_tracks(container: InputContainer, log: LibavLog) -> tuple[Tracks, Iterator[AnyPacket]]:
    """Return the tracks that a player would show, and all packets of the recording.

    Those flagged as default come first, then the first ones. A sound track that has no decoder, is
    encrypted, or cannot be decoded is passed over for one that can be heard.

    Raises:
        Failure: There is no moving picture, no decoder for it, or it is encrypted.
        MemoryError: A decoder of sound was denied memory.
    """
    pictures = [
        stream
        for stream in container.streams
        if isinstance(stream, VideoStream) and not stream.disposition & _NOT_MOVING
    ]
    sounds = [stream for stream in container.streams if isinstance(stream, AudioStream)]
    packets = container.demux()
    sample = _take_sample(packets, [*pictures[:1], *sounds])
    picture = _find_default(pictures)
    if picture is None:
        raise Failure("no_picture_track")
    if _is_encrypted(picture, sample):
        raise Failure("picture_encrypted")
    if picture.codec_context is None:
        raise Failure("no_decoder")
    sound, remarks = _choose_sound(sounds, sample, log)
    tracks = Tracks(picture=picture.index, sound=sound, remarks=remarks)
    return tracks, chain(sample, packets)


def _take_sample(packets: Iterator[AnyPacket], tracks: Sequence[Track]) -> list[AnyPacket]:
    """Take packets until each track has some of them."""
    counts = dict.fromkeys((track.index for track in tracks), 0)
    sample: list[AnyPacket] = []
    while len(sample) < _MOST_SAMPLED and any(n < _SAMPLED_PACKETS for n in counts.values()):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # whoever reads on meets it again
            break
        if packet is None:
            break
        sample.append(packet)
        if packet.stream_index in counts and packet.size:
            counts[packet.stream_index] += 1
    return sample


def _choose_sound(
    tracks: Sequence[Track], sample: Sequence[AnyPacket], log: LibavLog
) -> tuple[int | None, tuple[Remark, ...]]:
    wanted = _find_default(tracks)
    if wanted is None:
        return None, ()
    ranked = [wanted, *(track for track in tracks if track is not wanted)]
    chosen = next((track for track in ranked if _is_audible(track, sample, log)), None)
    if chosen is wanted:
        return wanted.index, ()
    if chosen is not None:
        return chosen.index, (Remark.SOUND_FROM_ANOTHER_TRACK,)
    encrypted = _is_encrypted(wanted, sample)
    return None, (Remark.SOUND_ENCRYPTED if encrypted else Remark.SOUND_UNDECODABLE,)


def _find_default(tracks: Iterable[Track]) -> Track | None:
    found = list(tracks)
    flagged = [track for track in found if track.disposition & Disposition.default]
    return next(iter(flagged or found), None)


def _is_encrypted(track: Track, sample: Sequence[AnyPacket]) -> bool:
    return any(
        packet.has_sidedata("encryption_info")
        for packet in sample
        if packet.stream_index == track.index
    )


def _is_audible(track: Track, sample: Sequence[AnyPacket], log: LibavLog) -> bool:
    """Return whether the beginning of a sound track can be decoded."""
    if track.codec_context is None or _is_encrypted(track, sample):
        return False
    mine = [packet for packet in sample if packet.stream_index == track.index and packet.size]
    if not mine or all(packet.is_discard for packet in mine):
        return True
    track.codec_context.thread_count = 1
    for packet in mine:
        try:
            if track.codec_context.decode(packet):
                return True
        except av.error.FFmpegError as error:
            log.note_error(error)
            if log.is_out_of_memory:
                raise MemoryError(str(error)) from None
    return len(mine) < _SAMPLED_PACKETS // 2  # too few to know: an encoder's delay
