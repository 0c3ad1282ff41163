"""Cuts the streams of one decoding process into clips, as they come."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.frames import frame_count, nearest, picks
from ah_ray.media.log import DecodeLog
from ah_ray.media.probe import Probe
from ah_ray.media.sound import LEAD_S, Sound
from ah_ray.media.still import Stillness
from ah_ray.media.windows import TOLERANCE_S, Cut, Window
from ah_ray.profile import Profile
from ah_ray.records import Clip

_ROUNDING_S = 1e-6
SOUND_LAG_S = 20.0
"""How far the picture may run ahead before missing sound counts as silence."""

_FEW_FRAMES = 80  # of a video whose picks are not known beforehand, in the same time
_UNTIMED_BYTES = 64 << 20  # the times come through another pipe, and hardly later


class Cutter:
    """Holds what the open windows need, and no more, so memory does not grow with the video."""

    def __init__(
        self,
        found: Probe,
        size_px: tuple[int, int],
        profile: Profile,
        cut: Cut,
        limits: Limits,
        *,
        picks_at_once: int,
    ) -> None:
        self.log = DecodeLog()
        self.stillness = Stillness()
        self.sound = Sound() if found.audio_stream is not None else None
        self.n_clips = 0
        self.first_failed: Clip | None = None
        self._found, self._profile, self._windows = found, profile, cut
        self._limits = limits
        self._shape = (size_px[1], size_px[0], 3)
        self._filling = np.empty(math.prod(self._shape), np.uint8)
        self._n_filled = 0
        self._untimed: deque[np.ndarray] = deque()  # frames whose time was not read yet
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._most_frames = 2 * max(_FEW_FRAMES, picks_at_once)

    @property
    def decoded_s(self) -> float:
        """Where the last decoded picture ends, from the first one's start."""
        return 0.0 if self.log.first_s is None else self.log.end_s - self.log.first_s

    def feed(self, pipe: str, chunk: bytes) -> None:
        """Takes the next bytes of a pipe: `stdout` (RGB frames), `sound` or `stderr`."""
        if pipe == "stderr":
            self.log.feed(chunk)
        elif pipe == "sound":
            self.sound.feed(chunk)
        else:
            self._fill(np.frombuffer(chunk, np.uint8))
        self._match()

    def ready(self) -> Iterator[Clip]:
        """The clips whose windows are complete."""
        while True:
            window = self._windows.full(self.n_clips)
            if window is None or not self._is_complete(window):
                return
            yield self._cut(window)

    def rest(self, failure: VideoError | None) -> Iterator[Clip]:
        """The clips of all other windows, once the process has ended, well or badly."""
        for window in self._windows.plan(self._planned_s(failure))[self.n_clips :]:
            reached_s = self._reached_s() if failure else self.decoded_s + TOLERANCE_S
            if window.end_s <= reached_s:
                yield self._cut(window)
            elif failure:
                yield self._failed(window, failure.kind, str(failure))
            else:
                ends = f"the file is cut off: its picture ends at {self.decoded_s:.1f} s"
                yield self._failed(window, ErrorKind.DECODE, ends)

    def _fill(self, pixels: np.ndarray) -> None:
        """Adds to the frame that is coming in: `[n] uint8` of the RGB stream."""
        while len(pixels):
            now, pixels = np.split(pixels, [len(self._filling) - self._n_filled])
            self._filling[self._n_filled : self._n_filled + len(now)] = now
            self._n_filled += len(now)
            if self._n_filled == len(self._filling):
                self._untimed.append(self._filling.reshape(self._shape))
                self._filling, self._n_filled = np.empty_like(self._filling), 0

    def _match(self) -> None:
        """Gives the frames their times; both come in the same order, through two pipes.

        Timestamps that jump to and fro let every frame pass the filter and complete no window:
        what is held is thinned out then.
        """
        if len(self._untimed) * len(self._filling) > _UNTIMED_BYTES:
            raise VideoError(ErrorKind.DECODE, "its pictures have no times")
        if self.log.first_s is None:
            return
        while self._untimed and self.log.selected_s:
            time_s = self.log.selected_s.popleft() - self.log.first_s
            self._frames.append((time_s, self._untimed.popleft()))
        if len(self._frames) > self._most_frames:
            self._frames = deque(list(self._frames)[::2])  # an even limit keeps first and last
        if self.sound and self.log.sound_starts_s is not None:
            self.sound.place(self.log.sound_starts_s - self.log.first_s)

    def _reached_s(self) -> float:
        return self._frames[-1][0] if self._frames else 0.0

    def _is_complete(self, window: Window) -> bool:
        reached_s = self._reached_s()
        if not self._frames or reached_s < window.end_s - _ROUNDING_S:
            return False
        heard = self.sound is None or self.sound.is_cut or self.sound.end_s >= window.end_s
        return heard or reached_s >= window.end_s + SOUND_LAG_S

    def _planned_s(self, failure: VideoError | None) -> float:
        """How long the video was meant to be: longer than what was decoded if it is damaged."""
        promised = [self.decoded_s]
        if failure or (self.log.damages and not self.log.damages[-1].is_over):
            promised.append(self._found.duration_s)
        if self.log.cut_off and self._found.container_s:
            promised.append(self._found.container_s)
        return min(max(promised), self._limits.max_duration_s)  # a header may promise ages

    def _cut(self, window: Window) -> Clip:
        damage = self.log.damage_in(*self._in_file(window))
        frames = self._pick(window)
        if damage:
            start_s = max(window.start_s, damage.start_s - (self.log.first_s or 0.0))
            message = f"the picture is damaged from {start_s:.1f} s on"
            clip = self._failed(window, ErrorKind.DECODE, message)
        elif self.sound and self.sound.lacks(window.end_s):
            message = f"its sound lies over {LEAD_S / 60:.0f} minutes ahead of its picture"
            clip = self._failed(window, ErrorKind.DECODE, message)
        elif frames is None:
            clip = self._failed(window, ErrorKind.DECODE, "no picture of it could be decoded")
        else:
            self.stillness.see(frames)
            clip = Clip(
                clip_index=window.index,
                start_s=window.start_s,
                end_s=window.end_s,
                frames=frames,
                samples=self._samples(window),
            )
            self.n_clips += 1
        self._forget()
        return clip

    def _failed(self, window: Window, kind: ErrorKind, message: str) -> Clip:
        clip = Clip(
            clip_index=window.index,
            start_s=window.start_s,
            end_s=window.end_s,
            frames=None,
            samples=None,
            error_kind=kind,
            error=message,
        )
        self.first_failed = self.first_failed or clip
        self.n_clips += 1
        return clip

    def _in_file(self, window: Window) -> tuple[float, float]:
        first_s = self.log.first_s or 0.0
        return window.start_s + first_s - _ROUNDING_S, window.end_s + first_s - _ROUNDING_S

    def _pick(self, window: Window) -> np.ndarray | None:
        """The window's frames: `[T, H, W, 3] uint8`, T even."""
        if not self._frames:
            return None
        start_s, end_s = self._in_file(window)
        times_s = np.array(sorted(t for t in self.log.times_s if start_s <= t < end_s))
        times_s -= self.log.first_s
        received_s = np.array([time_s for time_s, _ in self._frames])
        n_wanted = frame_count(window.seconds, self._profile.fps, self._profile.min_frames)
        wanted_s = times_s[picks(times_s, window.start_s, window.end_s, n_wanted)]
        if not len(wanted_s):  # nothing new to see: the picture before it still stands
            wanted_s = np.full(2, window.start_s)
            received_s = received_s[received_s <= window.start_s]
            if not len(received_s):
                return None
        return np.stack([self._frames[i][1] for i in nearest(received_s, wanted_s)])

    def _samples(self, window: Window) -> np.ndarray:
        if self.sound is None:
            return Sound().take(window.start_s, window.end_s)
        return self.sound.take(window.start_s, window.end_s)

    def _forget(self) -> None:
        """Drops what lies before the next window, but for the picture that stands at its start."""
        keep_from_s = self._windows.needed_from_s(self.n_clips)
        while len(self._frames) > 1 and self._frames[1][0] < keep_from_s - _ROUNDING_S:
            self._frames.popleft()
        self.log.drop_before((self.log.first_s or 0.0) + keep_from_s - _ROUNDING_S)
        if self.sound:
            self.sound.drop_before(keep_from_s)
