"""A recording into clips: which pictures and which sound each window holds, and why it has none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from ah_ray.config import Limits
from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.pictures import PictureDecoder
from ah_ray.media.caged.recording import open_container
from ah_ray.media.caged.scaling import Picture, Scaler, fit
from ah_ray.media.caged.sound import SoundReader
from ah_ray.media.caged.timing.shown_pictures import (
    Shown,
    list_shown_by_decoding,
    list_shown_by_packets,
)
from ah_ray.media.caged.timing.survey import Survey, no_picture, survey_recording, too_many_pixels
from ah_ray.media.frames import frame_count, is_constant, pick_times
from ah_ray.media.messages import Failure, send
from ah_ray.media.windows import TOLERANCE_S, Cut, Window
from ah_ray.profile import SOUND_HZ, Profile
from ah_ray.remarks import Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is wanted of a recording."""

    profile: Profile
    cut: Cut
    limits: Limits


class NotPictures(Exception):
    """Packets of this track are not its pictures (fields, hidden frames): decode all to know."""


def make_clips(recording: int, connection: int, plan: Plan) -> None:
    """Decode a recording and send its clips, then its facts.

    Args:
        recording: A descriptor of the recording, open for reading.
        connection: The descriptor that messages go to (media.messages).
        plan: What is wanted.

    Raises:
        Failure: There are no clips, and why.
    """
    with LibavLog() as log:
        try:
            survey = survey_recording(recording, plan.limits, log)
            send_opened(connection, survey)
            maker = _ClipMaker(recording, connection, plan, survey, log)
            maker.send_clips()
            maker.send_facts()
        except MemoryError:
            raise Failure("out_of_memory", most=plan.limits.max_memory_bytes) from None
        except av.error.FFmpegError as error:
            log.note_error(error)
            raise no_picture(plan.limits, log) from None


def describe_recording(recording: int, connection: int, limits: Limits) -> None:
    """Send what is known of a recording without decoding more than one picture of it.

    Raises:
        Failure: It is not a video, or none of its pictures can be decoded.
    """
    with LibavLog() as log:
        survey = survey_recording(recording, limits, log)
        send_opened(connection, survey)
        with (
            closing(open_container(recording, limits.max_pixels)) as container,
            log.report_failed_allocations(),
        ):
            decoder = _picture_decoder(container, survey, limits, log)
            if next(decoder.frames(None), None) is None:
                raise no_picture(limits, log)


def send_opened(connection: int, survey: Survey) -> None:
    """Send what the packets tell."""
    timeline = survey.timeline
    shown_s = timeline.picture_s[~np.isnan(timeline.picture_s)]
    send(
        connection,
        {
            "kind": "opened",
            "planned_s": survey.planned_s,
            "duration_s": timeline.duration_s,
            "n_pictures": len(shown_s),
            "picture_track": survey.tracks.picture,
            "sound_track": survey.tracks.sound,
            "first_s": survey.first_s,
            "unscored_sound_s": timeline.unscored_sound_s,
        },
    )


def _picture_decoder(
    container: Any, survey: Survey, limits: Limits, log: LibavLog
) -> PictureDecoder:
    return PictureDecoder(
        container,
        survey.tracks.picture,
        survey.scan,
        survey.timeline,
        log,
        max_pixels=limits.max_pixels,
    )


class _ClipMaker:
    """Sends the clips of one recording, in order."""

    def __init__(
        self,
        recording: int,
        connection: int,
        plan: Plan,
        survey: Survey,
        log: LibavLog,
    ) -> None:
        self._recording, self._connection, self._log = recording, connection, log
        self._profile, self._cut, self._limits = plan.profile, plan.cut, plan.limits
        self._survey, self._timeline = survey, survey.timeline
        self._windows = plan.cut.plan(survey.planned_s)
        self._n_sent = 0
        self._size_changes: list[tuple[float, tuple[int, int]]] = []  # from when on, which
        self._remarks = dict.fromkeys(survey.remarks)

    def send_clips(self) -> None:
        """Send a message for every window."""
        if not self._windows:
            return
        shown = list_shown_by_packets(self._survey.scan, self._timeline)
        try:
            self._decode(shown or self._shown_by_decoding())
        except NotPictures:
            self._decode(self._shown_by_decoding())

    def send_facts(self) -> None:
        """Send what is known of the recording as a whole."""
        shown_s: dict[tuple[int, int], float] = defaultdict(float)
        ends_s = [start_s for start_s, _ in self._size_changes[1:]] + [self._timeline.duration_s]
        for (start_s, size), end_s in zip(self._size_changes, ends_s, strict=False):
            shown_s[size] += max(0.0, end_s - start_s)
        if len(shown_s) > 1:
            self._remarks[Remark.SIZE_CHANGES] = None
        longest = max(shown_s, key=shown_s.__getitem__, default=None)
        facts = {"kind": "facts", "size_px": longest, "remarks": list(self._remarks)}
        send(self._connection, facts)

    def _open(self) -> Any:
        return closing(open_container(self._recording, self._limits.max_pixels))

    def _shown_by_decoding(self) -> Shown:
        with self._open() as container, self._log.report_failed_allocations():
            decoder = _picture_decoder(container, self._survey, self._limits, self._log)
            found = [tick for tick, _ in decoder.frames(None)]
        if not found:
            raise no_picture(self._limits, self._log)
        return list_shown_by_decoding(found, self._survey.scan, self._timeline)

    def _decode(self, shown: Shown) -> None:
        """Send the clips of all windows that were not sent yet."""
        picked = [self._picks(window, shown) for window in self._windows]
        last_use = {
            int(key): number
            for number, (keys, _) in enumerate(picked)
            for key in keys
            if number >= self._n_sent
        }
        with (
            self._open() as container,
            self._open() as other,
            self._log.report_failed_allocations(),
        ):
            decoder = _picture_decoder(container, self._survey, self._limits, self._log)
            sound = None
            if self._survey.tracks.sound is not None:
                track = self._survey.tracks.sound
                sound = SoundReader(other, track, self._timeline, self._log)
            wanted = None if shown.by_place else set(last_use)
            scaler = Scaler(self._profile, pixel_aspect=self._survey.pixel_aspect)
            frames = decoder.frames(wanted)
            if shown.by_place:
                frames = ((place, frame) for place, (_, frame) in enumerate(frames))
            frames = self._note_sizes(frames, decoder, scaler, shown)
            for _ in self._keep_pictures(frames, scaler, picked, last_use):
                self._send_clip(picked, decoder, sound, shown)
        if sound is not None:
            if sound.is_opposite:
                self._remarks[Remark.CHANNELS_OPPOSITE] = None
            if not sound.n_blocks:
                self._remarks[Remark.SOUND_UNDECODABLE] = None

    def _note_sizes(
        self,
        frames: Iterator[tuple[int | None, VideoFrame]],
        decoder: PictureDecoder,
        scaler: Scaler,
        shown: Shown,
    ) -> Iterator[tuple[int | None, VideoFrame]]:
        """Yield the pictures, and note the time of every change of size."""
        for key, frame in frames:
            scaler.pixel_aspect = self._survey.pixel_aspect * decoder.aspect_change
            if key is not None:
                size = scaler.displayed_px(frame)
                if not self._size_changes or self._size_changes[-1][1] != size:
                    self._size_changes.append((shown.time_of(key), size))
            yield key, frame

    def _keep_pictures(
        self,
        frames: Iterator[tuple[int | None, VideoFrame]],
        scaler: Scaler,
        picked: list[tuple[np.ndarray, np.ndarray]],
        last_use: dict[int, int],
    ) -> Iterator[None]:
        """Keep the wanted pictures of the window that is next; yield when it is complete."""
        self._pictures: dict[int, Picture] = {}
        for key, frame in frames:
            if key is None:
                continue
            if key in last_use and key not in self._pictures:
                self._pictures[key] = scaler.scale(frame)
            while self._n_sent < len(picked) and self._is_complete(picked[self._n_sent][0], key):
                yield
                self._forget(last_use)
            if self._n_sent == len(picked):
                return
        while self._n_sent < len(picked):
            yield
            self._forget(last_use)

    def _is_complete(self, keys: np.ndarray, reached: int) -> bool:
        return all(int(key) in self._pictures or key < reached for key in keys)

    def _forget(self, last_use: dict[int, int]) -> None:
        over = [key for key in self._pictures if last_use[key] < self._n_sent]
        for key in over:
            del self._pictures[key]

    def _picks(self, window: Window, shown: Shown) -> tuple[np.ndarray, np.ndarray]:
        """Return (keys, times) of the pictures of a window: `[T]` each."""
        n_wanted = frame_count(window.seconds, self._profile.fps, self._profile.min_frames)
        chosen = pick_times(shown.times_s, window.start_s, window.end_s, n_wanted)
        return shown.keys[chosen], shown.times_s[chosen]

    def _send_clip(
        self,
        picked: list[tuple[np.ndarray, np.ndarray]],
        decoder: PictureDecoder,
        sound: SoundReader | None,
        shown: Shown,
    ) -> None:
        window, (keys, times_s) = self._windows[self._n_sent], picked[self._n_sent]
        failure = self._find_failure(window, keys, times_s, decoder, shown)
        if failure is None:
            samples = _samples(sound, window)
            failure = self._find_missing_memory()  # which the decoder of the sound needed
        header: dict[str, Any] = {"kind": "clip", "index": window.index}
        if failure is not None:
            reason = {"reason": failure.code, "numbers": failure.numbers}
            send(self._connection, {**header, **reason})
        else:
            frames = _frames_of([self._pictures[int(key)] for key in keys])
            header["shape"] = frames.shape
            header["sampled_s"] = _sampled_s(shown.times_s, window)
            header["times_s"] = [round(float(time_s), 6) for time_s in times_s]
            send(self._connection, header, frames, samples)
        self._n_sent += 1
        if sound is not None:
            sound.drop_before(self._cut.needed_from_s(self._n_sent))

    def _find_missing_memory(self) -> Failure | None:
        if self._log.is_out_of_memory:
            return Failure("out_of_memory", most=self._limits.max_memory_bytes)
        return None

    def _find_failure(
        self,
        window: Window,
        keys: np.ndarray,
        times_s: np.ndarray,
        decoder: PictureDecoder,
        shown: Shown,
    ) -> Failure | None:
        """Return why a window is no clip, if it is none."""
        if window.end_s > self._timeline.broken_from_s + TOLERANCE_S:
            return Failure("clock", second=self._timeline.broken_from_s)
        if window.end_s > self._timeline.duration_s + TOLERANCE_S:
            return Failure("cut_off", second=self._timeline.duration_s)
        if self._log.too_large is not None:
            return too_many_pixels(self._log.too_large, self._limits)
        if (failure := self._find_missing_memory()) is not None:
            return failure
        damaged = [time_s for time_s in times_s if decoder.is_damaged(float(time_s))]
        if damaged:
            return Failure("picture_damaged", second=float(damaged[0]))
        if not len(keys) or any(int(key) not in self._pictures for key in keys):
            if not shown.is_exact and not decoder.damages:
                raise NotPictures
            return Failure("picture_missing")
        return None


def _frames_of(pictures: list[Picture]) -> np.ndarray:
    """Return the pictures of a clip in the size that most have: `[T, H, W, 3] uint8`."""
    shapes = Counter(picture.rgb.shape for picture in pictures)
    most = max(shapes.values())
    best = max(shape for shape, count in shapes.items() if count == most)
    like = next(picture for picture in pictures if picture.rgb.shape == best)
    return np.ascontiguousarray([fit(picture, like) for picture in pictures])


def _sampled_s(times_s: np.ndarray, window: Window) -> float:
    """Return the seconds of a window's pictures: their count over their rate, if that is constant.

    Of 29.97 pictures a second a window of 5 s holds 150, which last 5.005 s.
    """
    inside = times_s[(times_s >= window.start_s - 1e-6) & (times_s < window.end_s - 1e-6)]
    if len(inside) < 2 or not is_constant(inside):
        return window.seconds
    return float((inside[-1] - inside[0]) * len(inside) / (len(inside) - 1))


def _samples(sound: SoundReader | None, window: Window) -> np.ndarray:
    if sound is None:
        return np.zeros(round(window.seconds * SOUND_HZ), np.float32)
    return sound.take(window.start_s, window.end_s)
