"""Quantities as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence


def clock(seconds: float | None) -> str:
    """1:02:03, or 2:03; `–` if unknown."""
    if seconds is None:
        return "–"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def length_of_time(seconds: float) -> str:
    """In a unit that a person reads: `45 seconds`, `12.5 minutes`, `1,234.5 hours`."""
    units = ((3600, "hour"), (60, "minute"), (1, "second"))
    size_s, unit = next((each for each in units if seconds >= each[0]), units[-1])
    number = f"{seconds / size_s:,.1f}".removesuffix(".0")
    return f"{number} {unit}{'' if number == '1' else 's'}"


def gigabytes(size_bytes: int) -> str:
    """In a unit that a person reads: 512 B, 3.4 MB, 1.2 TB."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def counted(n: int, what: str) -> str:
    """1 video, 1,200 videos."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def named(names: Sequence[str], at_most: int = 3) -> str:
    """a, b, c … of many names."""
    return ", ".join(names[:at_most]) + (" …" if len(names) > at_most else "")
