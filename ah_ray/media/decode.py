"""Turn a video into clips: ask the decoding process, check its answers, and interpret them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ah_ray.config import Limits, Windows
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.cut_message import cut_fields
from ah_ray.media.decode_process import DecodeProcess, broken_promise_error, check_number
from ah_ray.media.file_check import check_file
from ah_ray.media.frames import frame_count
from ah_ray.media.messages import make_error
from ah_ray.media.probe import Probe
from ah_ray.media.resize import largest_size
from ah_ray.media.sandbox.open_files import open_recording
from ah_ray.media.still_picture import Stillness
from ah_ray.media.windows import Cut, Regular, Window
from ah_ray.profile import SOUND_HZ, Profile
from ah_ray.records import Clip, VideoFacts, failed_clip
from ah_ray.remarks import Remark

_SILENT = 2.0**-16  # under the last bit of 16-bit sound
_LARGEST_PX = 1 << 16


def decode(
    recording: Path | BinaryIO, *, profile: Profile, windows: Windows | Cut, limits: Limits
) -> Generator[Clip | VideoFacts, None, None]:
    """Yield the clips of a video in order, each as soon as it is complete, then the facts.

    A window that cannot be decoded is a Clip without frames and samples, with its error; a video
    that cannot be planned has facts alone. What is wrong with a video is never raised. Closing the
    iterator ends the decoding and leaves nothing behind. The time limit does not run while the
    caller keeps a clip before asking for the next.

    Args:
        recording: The video: a path, or a file that is open for reading and can be sought in.
        profile: How many frames of a window are shown, and in which size.
        windows: Which intervals are cut out, by rule or one by one, in seconds from the first
            picture. Of windows that are given one by one, the last ends the decoding.
        limits: What the video may cost.

    Raises:
        Interrupted: Something from outside ended the decoding process.
    """
    cut = Regular(windows) if isinstance(windows, Windows) else windows
    started = time.monotonic()
    assembly = _Assembly(cut, profile, limits)
    waited_s = 0.0
    try:
        with _open_recording_of(recording) as file:
            found = check_file(file, limits)
            plan = {
                "what": "clips",
                "profile": profile.model_dump(mode="json"),
                "windows": cut_fields(cut),
            }
            deadline = started + limits.timeout_for(found.size_bytes)
            with DecodeProcess(file, plan, limits=limits, deadline=deadline) as process:
                try:
                    for clip in assembly.clips(process):
                        handed_over = time.monotonic()
                        yield clip
                        kept_s = time.monotonic() - handed_over
                        process.extend(kept_s)
                        waited_s += kept_s
                except VideoError as error:
                    yield from assembly.failed_rest(error)
            assembly.cpu_s = process.cpu_s
            if found.has_second_movie:
                assembly.remarks[Remark.SECOND_MOVIE] = None
    except VideoError as error:
        assembly.error = error
    yield assembly.facts(time.monotonic() - started - waited_s)


def _open_recording_of(recording: Path | BinaryIO) -> Any:
    if not isinstance(recording, str | Path):
        return nullcontext(recording)
    try:
        return open_recording(Path(recording))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(ErrorKind.UNREADABLE, f"the file cannot be read: {reason}") from None


class _Assembly:
    """Makes clips from the messages of a decoding process. It trusts none of them."""

    def __init__(self, cut: Cut, profile: Profile, limits: Limits) -> None:
        self.error: VideoError | None = None
        self.cpu_s = 0.0
        self.remarks: dict[Remark, None] = {}
        self._cut, self._profile, self._limits = cut, profile, limits
        self._windows: list[Window] | None = None
        self._n_clips = 0
        self._first_failed: Clip | None = None
        self._probe: Probe | None = None
        self._size_px: tuple[int, int] | None = None
        self._stillness = Stillness()
        self._is_silent = True

    def clips(self, process: DecodeProcess) -> Iterator[Clip]:
        """Yield the clips as the process sends them."""
        while (header := process.message()) is not None:
            kind = header.get("kind")
            if kind == "failed":
                raise make_error(header.get("reason"), header.get("numbers"))
            if kind == "opened" and self._windows is None:
                self._open(header)
            elif kind == "clip" and self._windows and self._n_clips < len(self._windows):
                yield self._clip(header, self._windows[self._n_clips], process)
            elif kind == "facts" and self._n_clips == len(self._windows or ()):
                self._take_facts(header)
            else:
                raise broken_promise_error()
        if self._windows is None or self._n_clips < len(self._windows):
            raise broken_promise_error()

    def failed_rest(self, error: VideoError) -> Iterator[Clip]:
        """Yield the clips that are missing, with the reason."""
        if self._windows is None:
            raise error
        for window in self._windows[self._n_clips :]:
            yield self._failed(window, error)

    def facts(self, decode_s: float) -> VideoFacts:
        """Return what is known of the video as a whole."""
        error_kind, error = None, None
        if self._first_failed is not None:
            error_kind, error = self._first_failed.error_kind, self._first_failed.error
        elif self.error is not None:
            error_kind, error = self.error.kind, str(self.error)
        elif not self._n_clips:
            error_kind, error = ErrorKind.NO_VIDEO, "this is a single picture, not a video"
        if self._probe is None:
            return VideoFacts(n_clips=0, decode_s=decode_s, error_kind=error_kind, error=error)
        duration_s = self._probe.duration_s
        has_sound = self._probe.sound_track is not None
        width_px, height_px = self._size_px or (None, None)
        return VideoFacts(
            n_clips=self._n_clips,
            duration_s=duration_s,
            fps=self._probe.n_pictures / duration_s if duration_s else None,
            width_px=width_px,
            height_px=height_px,
            has_audio=has_sound and Remark.SOUND_UNDECODABLE not in self.remarks,
            picture_is_still=self._stillness.is_still,
            sound_is_silent=self._is_silent,
            unscored_sound_s=self._probe.unscored_sound_s,
            remarks=tuple(self.remarks),
            decode_s=decode_s,
            decode_cpu_s=self.cpu_s,
            error_kind=error_kind,
            error=error,
        )

    def _open(self, header: dict[str, Any]) -> None:
        self._probe = Probe.of(header, self._limits)
        self._windows = self._cut.plan(self._probe.planned_s)

    def _clip(self, header: dict[str, Any], window: Window, process: DecodeProcess) -> Clip:
        if header.get("index") != window.index:
            raise broken_promise_error()
        if "reason" in header:
            return self._failed(window, make_error(header["reason"], header.get("numbers")))
        shape = self._shape(header, window)
        self._check_times(header, window, shape[0])
        frames = process.array(shape, np.uint8)
        samples = process.array((round(window.seconds * SOUND_HZ),), np.float32)
        samples = np.clip(np.nan_to_num(samples, copy=False), -1.0, 1.0, out=samples)
        self._stillness.see(frames)
        self._is_silent = self._is_silent and not (np.abs(samples) > _SILENT).any()
        self._n_clips += 1
        return Clip(
            clip_index=window.index,
            start_s=window.start_s,
            end_s=window.end_s,
            frames=frames,
            samples=samples,
            sampled_s=check_number(header.get("sampled_s"), 0.0, window.seconds + 1.0),
        )

    def _shape(self, header: dict[str, Any], window: Window) -> tuple[int, int, int, int]:
        """Return the shape of a clip's frames, `[T, H, W, 3]`, as the profile allows it."""
        shape = header.get("shape")
        if not (isinstance(shape, list) and len(shape) == 4 and shape[3] == 3):
            raise broken_promise_error()
        if not all(type(size) is int and 0 < size <= _LARGEST_PX for size in shape):
            raise broken_promise_error()
        n_most = frame_count(window.seconds, self._profile.fps, self._profile.min_frames)
        n_frames, height_px, width_px, _ = shape
        fits = height_px * width_px <= largest_size(self._profile)
        if n_frames % 2 or n_frames > n_most or not fits or height_px % 32 or width_px % 32:
            raise broken_promise_error()
        return n_frames, height_px, width_px, 3

    def _check_times(self, header: dict[str, Any], window: Window, n_frames: int) -> None:
        """Check that pictures rise in time and none lies behind its window."""
        times_s = header.get("times_s")
        if not isinstance(times_s, list) or len(times_s) != n_frames:
            raise broken_promise_error()
        last_s = 0.0
        for time_s in times_s:
            last_s = check_number(time_s, last_s, window.end_s)

    def _failed(self, window: Window, error: VideoError) -> Clip:
        clip = failed_clip(window.index, window.start_s, window.end_s, error.kind, str(error))
        self._first_failed = self._first_failed or clip
        self._n_clips += 1
        return clip

    def _take_facts(self, header: dict[str, Any]) -> None:
        size = header.get("size_px")
        if isinstance(size, list) and len(size) == 2:
            width_px, height_px = (int(check_number(side, 1, 1e7)) for side in size)
            self._size_px = width_px, height_px
        known = set(Remark)
        for remark in header.get("remarks") or ():
            if isinstance(remark, str) and remark in known:
                self.remarks[Remark(remark)] = None
