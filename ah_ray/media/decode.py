"""A video to clips, in one streaming pass of one ffmpeg process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media import sound
from ah_ray.media.child import Child
from ah_ray.media.cutter import SOUND_LAG_S, Cutter
from ah_ray.media.ffmpeg import input_options
from ah_ray.media.frames import check_count
from ah_ray.media.probe import Probe, out_of_memory, probe
from ah_ray.media.refuse import check_file
from ah_ray.media.resize import target_size
from ah_ray.media.select import expected_picks, picks_at_once, select_expression
from ah_ray.media.windows import Cut, Regular
from ah_ray.profile import Profile
from ah_ray.records import Clip, VideoFacts

_NO_METADATA = ("-map_metadata", "-1", "-map_metadata:s", "-1")
"""The log shows that of the outputs among its lines; a file could speak there for ffmpeg."""

_NEARLY_DONE_S = 1.0

_SCALING = "bicubic+full_chroma_int:param0=0:param1=0.5"
"""The reference's bicubic (a = −0.5, antialiased), chroma not subsampled on the way to RGB."""


def decode(
    path: Path, *, profile: Profile, windows: Windows | Cut, limits: Limits
) -> Iterator[Clip | VideoFacts]:
    """Yields the clips of a video in order, each as soon as its window is complete, then facts.

    A window that cannot be decoded is a Clip without frames and samples, with its error; a video
    that cannot be planned has facts alone. What is wrong with a video is never raised; Interrupted
    is, if ffmpeg was killed from outside. Of windows that are given one by one the last ends the
    decoding, and the facts are those of what was seen. Closing the iterator ends the ffmpeg process
    and leaves nothing behind. The time limit does not run while the caller keeps a clip before
    asking for the next.
    """
    started = time.monotonic()
    cut = Regular(windows) if isinstance(windows, Windows) else windows
    try:
        deadline = started + limits.timeout_for(check_file(path, limits))
        found = probe(path, limits=limits, deadline=deadline)
        size_px = target_size(
            found.width_px, found.height_px, profile.min_pixels, profile.max_pixels
        )
    except VideoError as error:
        wall_s = time.monotonic() - started
        yield VideoFacts(n_clips=0, decode_s=wall_s, error_kind=error.kind, error=str(error))
        return
    picked_s = _picked(found, profile, cut)
    cutter = Cutter(
        found, size_px, profile, cut, limits, picks_at_once=_picks_at_once(picked_s, found, cut)
    )
    failure: VideoError | None = None
    waited_s = 0.0
    child = Child(
        lambda pipes: _command(path, found, limits, pipes),
        limits=limits,
        deadline=deadline,
        outputs=() if found.audio_stream is None else ("sound",),
        script=_picture_filter(found, size_px, picked_s).encode(),
    )
    with child:
        try:
            for pipe, chunk in child.chunks():
                cutter.feed(pipe, chunk)
                _check_length(cutter, limits)
                for clip in cutter.ready():
                    handed_over = time.monotonic()
                    yield clip
                    waited_s += child.extend(time.monotonic() - handed_over)
                if cut.full(cutter.n_clips) is None:  # all that was asked for is there
                    break
            else:
                failure = _failure(child, cutter, found, limits)
        except VideoError as error:
            failure = error
    wall_s = time.monotonic() - started - waited_s
    yield from cutter.rest(failure)
    yield _facts(cutter, found, wall_s=wall_s, cpu_s=child.cpu_s)


def _picked(found: Probe, profile: Profile, cut: Cut) -> np.ndarray:
    """The times of the pictures that shall be seen, rising: `[P]` seconds."""
    windows = cut.plan(found.duration_s)
    picked_s = expected_picks(found.times_s, windows, profile)
    if windows and cut.full(len(windows)) is None:
        # And one picture more, which tells that the last window is over; and one after that, since
        # ffmpeg holds a picture back until it knows the next.
        after = found.times_s[found.times_s >= max(window.end_s for window in windows)]
        picked_s = np.append(picked_s, after[:2])
    return picked_s


def _picks_at_once(picked_s: np.ndarray, found: Probe, cut: Cut) -> int:
    """How many pictures wait at one time: of a window, one moved back onto it, and the lag."""
    longest_s = max((window.seconds for window in cut.plan(found.duration_s)), default=0.0)
    return picks_at_once(picked_s, 2 * longest_s + SOUND_LAG_S)


def _picture_filter(found: Probe, size_px: tuple[int, int], picked_s: np.ndarray) -> str:
    width_px, height_px = size_px
    return (
        f"select='{select_expression(found.times_s, picked_s)}',"
        f"scale={width_px}:{height_px}:flags={_SCALING},format=rgb24"
    )


def _command(path: Path, found: Probe, limits: Limits, pipes: dict[str, int]) -> list[str]:
    picture = [
        *("-map", "0:V:0", "-/vf", f"pipe:{pipes['script']}"),
        *("-fps_mode", "passthrough", "-enc_time_base", "demux", *_NO_METADATA),
        *("-c:v", "rawvideo", "-f", "rawvideo", "pipe:1"),
    ]
    sounds = [
        *("-map", f"0:{found.audio_stream}", "-af", sound.FILTER),
        *_NO_METADATA,
        *("-c:a", "pcm_f32le", "-f", "f32le", f"pipe:{pipes.get('sound')}"),
    ]
    return [
        *input_options(path, limits),
        *("-loglevel", "repeat+info", "-debug_ts"),
        *picture,
        *(sounds if "sound" in pipes else []),
    ]


def _check_length(cutter: Cutter, limits: Limits) -> None:
    if cutter.decoded_s > limits.max_duration_s:
        raise VideoError(
            ErrorKind.REFUSED, f"it is longer than --max-duration-s {limits.max_duration_s:g}"
        )
    check_count(cutter.log.n_frames, limits)


def _failure(child: Child, cutter: Cutter, found: Probe, limits: Limits) -> VideoError | None:
    """What was wrong with the process as a whole, by the way it ended.

    A track of sound without a single frame makes ffmpeg fail once all else is done: that is none.
    """
    status = child.exit_status or 0
    if cutter.log.out_of_memory or child.met_memory_limit:
        return out_of_memory(limits)
    if status < 0:
        return VideoError(ErrorKind.DECODE, f"ffmpeg was ended by signal {-status}")
    if cutter.log.first_s is None:
        return VideoError(ErrorKind.DECODE, "none of its pictures could be decoded")
    if status > 0 and cutter.decoded_s < found.duration_s - _NEARLY_DONE_S:
        return VideoError(
            ErrorKind.DECODE, f"ffmpeg gave up after {cutter.decoded_s:.1f} s (status {status})"
        )
    return None


def _facts(cutter: Cutter, found: Probe, *, wall_s: float, cpu_s: float) -> VideoFacts:
    duration_s = cutter.decoded_s or found.duration_s
    failed = cutter.first_failed
    error_kind, error = (failed.error_kind, failed.error) if failed else (None, None)
    if not cutter.n_clips:
        error_kind, error = ErrorKind.NO_VIDEO, "this is a single picture, not a video"
    return VideoFacts(
        n_clips=cutter.n_clips,
        duration_s=duration_s,
        fps=cutter.log.n_frames / duration_s if duration_s else None,
        width_px=found.width_px,
        height_px=found.height_px,
        has_audio=cutter.sound is not None,
        picture_is_still=cutter.stillness.is_still,
        sound_is_silent=cutter.sound is None or cutter.sound.is_silent,
        decode_s=wall_s,
        probe_cpu_s=found.cpu_s,
        decode_cpu_s=cpu_s,
        error_kind=error_kind,
        error=error,
    )
