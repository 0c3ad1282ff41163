"""The sound of a video, laid out on the picture's time: second 0 is the first picture's."""

from __future__ import annotations

import numpy as np

RATE_HZ = 16_000
CLOCK_HZ = 705_600_000
"""The clock of sound in ffmpeg's log: a multiple of the rate, and one that no picture has."""

_SILENT = 2.0**-16  # under the last bit of 16-bit sound

LEAD_S = 1800.0
"""How far sound may come ahead of its picture in the file: 115 MB wait for the picture then."""

FILTER = (
    f"aresample={RATE_HZ}:async=1:out_chlayout=mono:out_sample_fmt=flt:rematrix_maxval=1,"
    f"aformat=sample_fmts=flt:channel_layouts=mono:sample_rates={RATE_HZ},"
    f"asetnsamples=n={RATE_HZ // 2}:p=0,asettb=1/{CLOCK_HZ}"
)
"""Gaps are filled with silence, overlaps trimmed; channels are averaged, so none clips.
Half a second at a time: every piece costs the log a few lines."""


class Sound:
    """16 kHz mono float32 that comes in pieces of any size and is taken window by window.

    What comes more than `LEAD_S` ahead of the windows is not kept, and is missing then: a gap of
    years between two packets, say, which ffmpeg fills with silence.
    """

    def __init__(self) -> None:
        self.is_silent = True
        self.is_cut = False  # there was more than is kept
        self._bytes = bytearray()
        self._first: int | None = None  # which sample of the video the first byte is

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the pipe."""
        self.is_cut = self.is_cut or len(self._bytes) + len(chunk) > 4 * RATE_HZ * LEAD_S
        if self.is_cut:
            return
        heard = len(self._bytes) // 4
        self._bytes += chunk
        if self._first is not None:
            self._listen(heard)

    def place(self, start_s: float) -> None:
        """Says where the first byte belongs, in seconds from the first picture; once."""
        if self._first is None:
            self._first = round(start_s * RATE_HZ)
            self.drop_before(0.0)
            self._listen(0)

    @property
    def end_s(self) -> float:
        """How far the sound has come."""
        return 0.0 if self._first is None else (self._first + len(self._bytes) // 4) / RATE_HZ

    def take(self, start_s: float, end_s: float) -> np.ndarray:
        """The samples of an interval, silence where there is no sound: `[N] float32`, −1…1."""
        start, n_samples = round(start_s * RATE_HZ), round((end_s - start_s) * RATE_HZ)
        taken = np.zeros(n_samples, np.float32)
        if self._first is not None:
            samples = self._samples()
            low, high = max(start, self._first), min(start + n_samples, self._first + len(samples))
            if low < high:
                taken[low - start : high - start] = samples[low - self._first : high - self._first]
        return np.clip(np.nan_to_num(taken, copy=False), -1.0, 1.0, out=taken)

    def drop_before(self, time_s: float) -> None:
        """Forgets what no window needs any more."""
        if self._first is None:
            return
        surplus = min(round(time_s * RATE_HZ) - self._first, len(self._bytes) // 4)
        if surplus > 0:
            del self._bytes[: 4 * surplus]
            self._first += surplus

    def lacks(self, end_s: float) -> bool:
        """True if there was sound before that time which was not kept."""
        return self.is_cut and self.end_s < end_s

    def _listen(self, start: int) -> None:
        if self.is_silent:
            self.is_silent = not (np.abs(self._samples()[start:]) > _SILENT).any()

    def _samples(self) -> np.ndarray:
        return np.frombuffer(self._bytes, np.float32, count=len(self._bytes) // 4)
