"""Survey a recording by its packets, before anything is decoded: tracks, timeline, length."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from io import BufferedReader

import av
import numpy as np
from av.container import InputContainer

from ah_ray.config import Limits
from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.recording import DescriptorFile, open_container, picture_track
from ah_ray.media.caged.scaling import pixel_aspect_of
from ah_ray.media.caged.timing.edit_list import read_pauses
from ah_ray.media.caged.timing.scan import Scan, scan_packets
from ah_ray.media.caged.timing.timeline import Timeline, lay_out
from ah_ray.media.caged.tracks import Tracks, choose_tracks
from ah_ray.media.frames import most_frames
from ah_ray.media.messages import Failure
from ah_ray.remarks import Remark


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """What is known of a recording from its packets."""

    tracks: Tracks
    scan: Scan
    timeline: Timeline
    pixel_aspect: float  # width to height of a pixel
    first_s: float  # when the first picture is shown, from where the file begins
    planned_s: float  # how long it was meant to be: longer than it is if it was cut off
    remarks: tuple[Remark, ...]


def survey_recording(recording: int, limits: Limits, log: LibavLog) -> Survey:
    """Read the list of packets of a recording and lay out its timeline.

    Raises:
        Failure: It is not a video that can be decoded within the limits.
    """
    try:
        with (
            closing(open_container(recording, limits.max_pixels)) as container,
            log.report_failed_allocations(),
        ):
            log.read_opening()
            log.take_hole()  # met while the file was opened: it is met again
            tracks, packets = choose_tracks(container, log)
            pixel_aspect = _check_picture(container, tracks.picture, limits, log)
            pauses = read_pauses(BufferedReader(DescriptorFile(recording)))
            scan = scan_packets(
                container, packets, tracks, pauses, log, max_frames=most_frames(limits)
            )
    except av.error.FFmpegError as error:
        raise _find_failure(error, limits, log) from None
    times_s = scan.pictures.times_s
    if not len(times_s) or np.isnan(times_s).all():
        raise no_picture(limits, log)
    timeline = lay_out(scan.pictures, scan.sound, container_end_s=scan.container_end_s)
    if np.isnan(timeline.picture_s).all():
        raise no_picture(limits, log)
    if timeline.duration_s > limits.max_duration_s:
        raise Failure("too_long", seconds=timeline.duration_s, most=limits.max_duration_s)
    remarks = dict.fromkeys(tracks.remarks)
    if timeline.starts:
        remarks[Remark.CLOCK_RESTARTS] = None
    if log.has_second_movie:
        remarks[Remark.SECOND_MOVIE] = None
    if timeline.unscored_sound_s > 0:
        remarks[Remark.SOUND_OUTSIDE_PICTURE] = None
    return Survey(
        tracks=tracks,
        scan=replace(scan, sound=None),  # the timeline holds what is needed of it
        timeline=timeline,
        pixel_aspect=pixel_aspect,
        first_s=_first_s(scan, timeline) - scan.container_start_s,
        planned_s=min(_promised_s(scan, timeline), limits.max_duration_s),
        remarks=tuple(remarks),
    )


def no_picture(limits: Limits, log: LibavLog) -> Failure:
    """Return why no picture could be decoded, from the records of libav."""
    log.read_opening()
    if log.too_large is not None:
        return too_many_pixels(log.too_large, limits)
    if log.is_out_of_memory:
        return Failure("out_of_memory", most=limits.max_memory_bytes)
    return Failure("no_picture")


def too_many_pixels(size_px: tuple[int, int], limits: Limits) -> Failure:
    """Return the failure of a recording whose pictures, or some of them, are too large."""
    width, height = size_px
    return Failure("too_many_pixels", width=width, height=height, most=limits.max_pixels)


def _check_picture(container: InputContainer, track: int, limits: Limits, log: LibavLog) -> float:
    """Return the pixel aspect of the picture track.

    Raises:
        Failure: Its pictures are too large.
    """
    stream = picture_track(container, track)
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_pixels:
        raise too_many_pixels((width, height), limits)
    return pixel_aspect_of(stream.sample_aspect_ratio)


def _promised_s(scan: Scan, timeline: Timeline) -> float:
    """Return how long the recording was meant to be, in seconds."""
    if not scan.is_cut_off or scan.container_end_s is None or timeline.starts:
        return timeline.duration_s
    return max(timeline.duration_s, scan.container_end_s - _first_s(scan, timeline))


def _first_s(scan: Scan, timeline: Timeline) -> float:
    """Return when the first picture is shown, in seconds of the clock of the packets."""
    return float(scan.pictures.times_s[int(np.nanargmin(timeline.picture_s))])


def _find_failure(error: av.error.FFmpegError, limits: Limits, log: LibavLog) -> Failure:
    """Return why a file could not be opened."""
    log.read_opening()
    if log.is_other_container:
        return Failure("other_container")
    if log.has_no_index:
        return Failure("no_index")
    log.note_error(error)
    if log.is_out_of_memory:
        return Failure("out_of_memory", most=limits.max_memory_bytes)
    return Failure("not_media")
