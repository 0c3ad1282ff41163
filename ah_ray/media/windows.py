"""Windows: the time intervals of a video that are scored. Pure arithmetic, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.config import Tail, Windows

TOLERANCE_S = 0.002
"""Containers that count in milliseconds end a 5 s video at 4.999 s or 5.001 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One interval of a video, in seconds from its first picture; the end is not in it."""

    index: int
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def full_window(index: int, windows: Windows) -> Window:
    """The window of that index in a video without an end."""
    start_s = index * windows.hop_s
    return Window(index=index, start_s=start_s, end_s=start_s + windows.window_s)


def plan(duration_s: float, windows: Windows) -> list[Window]:
    """All windows of a video of that length, in order. Empty only if it has no length.

    Windows start at 0, hop, 2·hop, … and end with the video at the latest. One that the end of
    the video leaves shorter than `min_tail_s` is dropped, kept, or moved back to end there
    (`Tail`); a video shorter than `min_tail_s` is one window whatever the tail.
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
