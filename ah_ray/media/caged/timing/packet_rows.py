"""Lists the packets of a recording's picture for whoever copies some of them without decoding."""

from __future__ import annotations

import zlib
from array import array
from contextlib import closing

import av
import numpy as np

from ah_ray.config import Limits
from ah_ray.config.containers import find_container
from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.recording import open_container, picture_track, seconds_per_tick
from ah_ray.media.caged.timing.scan import unwrap_clock
from ah_ray.media.caged.tracks import choose_tracks
from ah_ray.media.frames import most_frames
from ah_ray.media.messages import DISCARDED, KEY, NO_PTS, Failure, send


def send_packets(recording: int, connection: int, limits: Limits) -> None:
    """Send what is known of the tracks, then of each packet from the first key frame on.

    Raises:
        Failure: The file cannot be read, or has more packets than the limits allow.
    """
    times, sizes, sums, flags = array("q"), array("q"), array("q"), array("q")
    try:
        with closing(open_container(recording, limits.max_pixels)) as container:
            tracks, packets = choose_tracks(container, LibavLog())
            picture = picture_track(container, tracks.picture)
            turn_s = find_container(container.format.name).clock_period_s
            sound = None if tracks.sound is None else container.streams[tracks.sound]
            tick_s = seconds_per_tick(picture)
            header = {
                "kind": "packets",
                "codec": picture.codec_context.codec.canonical_name,
                "pixel_format": picture.codec_context.pix_fmt,
                "sound_codec": sound and sound.codec_context.codec.canonical_name,
                "tick_s": tick_s,
                "start_s": (container.start_time or 0) / av.time_base,
            }
            for packet in packets:
                if packet.stream_index != tracks.picture or not packet.size:
                    continue
                if not times and not packet.is_keyframe:
                    continue
                if len(times) == most_frames(limits):
                    raise Failure("too_many_frames", most=most_frames(limits))
                times.append(NO_PTS if packet.pts is None else packet.pts)
                sizes.append(packet.size)
                sums.append(zlib.crc32(packet))
                flags.append(KEY * packet.is_keyframe | DISCARDED * packet.is_discard)
    except av.error.FFmpegError:
        if not times:
            raise Failure("not_media") from None
    ticks = _unwrapped_ticks(times, tick_s, turn_s)
    send(connection, {**header, "n_packets": len(times)}, ticks, sizes, sums, flags)


def _unwrapped_ticks(times: array[int], tick_s: float, turn_s: float | None) -> np.ndarray:
    """Return times that go on where the clock of the container turned over: `[N] int64`."""
    ticks = np.array(times, np.int64)
    known = ticks != NO_PTS
    if turn_s is not None and known.any():
        seconds = ticks[known] * tick_s
        moved_s = unwrap_clock(seconds, turn_s, start_s=float(seconds[0])) - seconds
        ticks[known] += np.round(moved_s / tick_s).astype(np.int64)
    return ticks
