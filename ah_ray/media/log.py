"""What ffmpeg says while it decodes (`-debug_ts` on stderr): when each frame is, what is damaged.

The decoder's lines stand in the order in which it worked, so a complaint belongs to the frame
whose line precedes it. That is what tells a sound clip from one that error concealment painted
over, and it is the only full list of decoded timestamps that costs next to nothing.

Each message arrives whole, but another thread may have left an unfinished line before it, without
which it has no `[prefix]`: so messages are known by their words, wherever in a line they stand.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field

from ah_ray.media import sound

_DECODED = re.compile(
    rb"decoder -> pts:(-?\d+|NOPTS) .*duration:(-?\d+|NOPTS) .*"
    rb"keyframe:(\d) .*time_base:(\d+)/(\d+)"
)
_FILTERED = re.compile(rb"filter_raw -> pts:(-?\d+|NOPTS) .*time_base:(\d+)/(\d+)")
_TIMING = (b"] filter -> ", b"] encoder <- ", b"] encoder -> ", b"] muxer <- ")
_DEMUXED = re.compile(rb"\[vist#.* pkt_pts_time:(-?[\d.]+)")
_HOLES = (
    b"corrupt input packet",
    b"exceeds containing master element",
    b"EBML number",
    b"Invalid length",
)
_DAMAGED = (b"corrupt decoded frame", b"Error submitting packet to decoder")
_CUT_OFF = (b"partial file", b"File ended prematurely", b"Truncat", b"truncated")
_OUT_OF_MEMORY = (b"Cannot allocate memory", b"get_buffer() failed", b"Failed to allocate")


_MOST_TIMES = 20_000
"""What the windows of half a minute that may be open hold at 400 fps. More are a made-up clock."""

_MOST_DAMAGES = 1_000


@dataclass(slots=True)
class Damage:
    """A stretch of the picture that cannot be trusted: [start, end) in the file's own seconds."""

    start_s: float
    end_s: float = math.inf

    @property
    def is_over(self) -> bool:
        return self.end_s < math.inf


@dataclass(slots=True, kw_only=True)
class DecodeLog:
    """What one decoding process has said so far. Times are the file's own, in seconds."""

    first_s: float | None = None  # of the first picture
    end_s: float = 0.0  # where the picture that is shown last ends
    n_frames: int = 0
    times_s: deque[float] = field(  # of decoded frames not yet dropped
        default_factory=lambda: deque(maxlen=_MOST_TIMES)
    )
    selected_s: deque[float] = field(default_factory=deque)  # of frames that go to the pipe
    sound_starts_s: float | None = None
    damages: deque[Damage] = field(default_factory=deque)  # that an open window may meet
    cut_off: bool = False  # the file ends before its own index says so
    out_of_memory: bool = False
    _last_s: float = 0.0  # of the picture decoded last …
    _lasts_s: float = 0.0  # … and for how long it is shown
    _started: bool = False
    _demuxed: bytes = b""
    _rest: bytes = b""

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of stderr."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > 1 << 16:
            self._rest = b""
        for line in lines:
            if not self._started:  # what came before is the file's own, and may say anything
                self._started = line.startswith(b"Stream mapping:")
                continue
            if b" -> ist_index:" in line:
                self._demuxed = line  # most of the log: read only if the demuxer complains next
                continue
            if b"decoder -> pts:" in line and b"keyframe:" in line:
                self._decoded(line)
            elif b"filter_raw -> pts:" in line:
                self._filtered(line)
            elif not any(mark in line for mark in _TIMING):
                self._noted(line)

    def drop_before(self, time_s: float) -> None:
        """Forgets the frames and damages that no open window needs."""
        while self.times_s and self.times_s[0] < time_s:
            self.times_s.popleft()
        while len(self.damages) > 1 and self.damages[0].end_s <= time_s:
            self.damages.popleft()

    def damage_in(self, start_s: float, end_s: float) -> Damage | None:
        """The first damage that touches the interval."""
        for damage in self.damages:
            if damage.start_s < end_s and damage.end_s > start_s:
                return damage
        return None

    def _decoded(self, line: bytes) -> None:
        found = _DECODED.search(line)
        if not found:
            return
        tick_s = int(found[4]) / int(found[5])
        follows_s = self._last_s + self._lasts_s
        time_s = follows_s if found[1] == b"NOPTS" else int(found[1]) * tick_s
        if self.first_s is None:
            self.first_s = self.end_s = time_s
        elif time_s > self._last_s:
            self._lasts_s = time_s - self._last_s
        duration_s = 0.0 if found[2] == b"NOPTS" else int(found[2]) * tick_s
        if duration_s > 0:
            self._lasts_s = duration_s
        self._last_s = time_s
        self.end_s = max(self.end_s, time_s + self._lasts_s)  # times may go back in a broken file
        self.n_frames += 1
        self.times_s.append(time_s)
        if found[3] == b"1":
            self._heal(time_s)

    def _filtered(self, line: bytes) -> None:
        found = _FILTERED.search(line)
        if not found:
            return
        known = found[1] != b"NOPTS"
        time_s = int(found[1]) * int(found[2]) / int(found[3]) if known else self._last_s
        if int(found[3]) != sound.CLOCK_HZ:
            self.selected_s.append(time_s)
        elif self.sound_starts_s is None:
            self.sound_starts_s = time_s

    def _noted(self, line: bytes) -> None:
        if b"[aist#" not in line and any(mark in line for mark in _DAMAGED):
            self._harm(self._last_s)
        elif line.startswith(b"[in#"):
            self._demuxer_noted(line)
        if any(mark in line for mark in _OUT_OF_MEMORY):
            self.out_of_memory = True

    def _demuxer_noted(self, line: bytes) -> None:
        if any(mark in line for mark in _CUT_OFF):
            self.cut_off = True
        elif any(mark in line for mark in _HOLES) and self.first_s is not None:
            found = _DEMUXED.match(self._demuxed)
            self._harm(float(found[1]) if found else self._last_s)

    def _harm(self, time_s: float) -> None:
        """Notes damage from here on: what refers to a damaged picture is damaged too."""
        if len(self.damages) >= _MOST_DAMAGES:  # all is: no need to say where
            self.damages[-1].end_s = math.inf
        elif not self.damages or self.damages[-1].is_over:
            self.damages.append(Damage(time_s))

    def _heal(self, time_s: float) -> None:
        """Ends the damage at a keyframe, which refers to nothing before it."""
        if self.damages and not self.damages[-1].is_over and time_s > self.damages[-1].start_s:
            self.damages[-1].end_s = time_s
