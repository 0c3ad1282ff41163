"""Windows: the time intervals of a video that are cut out of it. Pure arithmetic, no I/O.

Their length and distance are settings: `ah_ray.config.windows`.

For scoring they follow from the video's length (`Regular`); for training they are given one by one
(`Given`), where an annotator marked something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ah_ray.config import Tail, Windows

TOLERANCE_S = 0.002
"""Containers that count in milliseconds end a 5 s video at 4.999 s or 5.001 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One interval of a video, in seconds from its first picture; the end is not part of it."""

    index: int
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


class Cut(Protocol):
    """Which windows a video is cut into; `index` counts them from 0, in order."""

    def full(self, index: int) -> Window | None:
        """Return the window of that index in a video without an end; None if there is none."""

    def plan(self, duration_s: float) -> list[Window]:
        """Return all windows of a video of that length."""

    def needed_from_s(self, index: int) -> float:
        """Return from which second on the video is needed for the windows from that index on."""


@dataclass(frozen=True, slots=True)
class Regular:
    """Windows at 0, hop, 2·hop, … to the end of the video."""

    windows: Windows

    def full(self, index: int) -> Window:
        start_s = index * self.windows.hop_s
        return Window(index=index, start_s=start_s, end_s=start_s + self.windows.window_s)

    def plan(self, duration_s: float) -> list[Window]:
        return plan(duration_s, self.windows)

    def needed_from_s(self, index: int) -> float:
        """Return the start of that window, less its length where `Tail.SHIFT` may move it back."""
        shift_s = self.windows.window_s if self.windows.tail is Tail.SHIFT else 0.0
        return self.full(index).start_s - shift_s


@dataclass(frozen=True, slots=True)
class Given:
    """Windows that are named one by one: (start_s, end_s), by their start. Ends may overlap.

    A window that reaches beyond the video's end is cut there; one that begins there is left out.
    """

    spans: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, spans: Sequence[tuple[float, float]]) -> Given:
        return cls(tuple(sorted(spans)))

    def full(self, index: int) -> Window | None:
        if index >= len(self.spans):
            return None
        start_s, end_s = self.spans[index]
        return Window(index=index, start_s=start_s, end_s=end_s)

    def plan(self, duration_s: float) -> list[Window]:
        inside = [(a, min(b, duration_s)) for a, b in self.spans if a < duration_s - TOLERANCE_S]
        return [Window(index=n, start_s=a, end_s=b) for n, (a, b) in enumerate(inside)]

    def needed_from_s(self, index: int) -> float:
        window = self.full(index)
        return self.spans[-1][1] if window is None else window.start_s


def plan(duration_s: float, windows: Windows) -> list[Window]:
    """Return all windows of a video of that length, in order; none only if it has no length.

    Windows start at 0, hop, 2·hop, … and end with the video at the latest. One that the end of
    the video leaves shorter than `min_tail_s` is dropped, kept, or moved back to end there
    (`Tail`); a video shorter than `min_tail_s` is one window with every setting.
    """
    if duration_s <= 0:
        return []
    if duration_s < min(windows.min_tail_s, windows.window_s) - TOLERANCE_S:
        return [Window(index=0, start_s=0.0, end_s=duration_s)]
    spans: list[tuple[float, float]] = []
    for index in range(int(duration_s / windows.hop_s) + 2):
        start_s = index * windows.hop_s
        if start_s >= duration_s - TOLERANCE_S and index > 0:
            break
        span = (start_s, min(start_s + windows.window_s, duration_s))
        cut_short = span[1] - start_s < windows.window_s - TOLERANCE_S
        if cut_short and span[1] - start_s < windows.min_tail_s - TOLERANCE_S:
            if windows.tail is Tail.DROP:
                break
            if windows.tail is Tail.SHIFT:
                span = (max(0.0, duration_s - windows.window_s), duration_s)
        if span not in spans[-1:]:
            spans.append(span)
    return [Window(index=i, start_s=start, end_s=end) for i, (start, end) in enumerate(spans)]
