"""Quantities as text for people."""

from __future__ import annotations

from collections.abc import Sequence


def format_clock(seconds: float | None) -> str:
    """Return seconds as `1:02:03` or `2:03`; `–` for None."""
    if seconds is None:
        return "–"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def format_duration(seconds: float) -> str:
    """Return seconds in a readable unit: `45 seconds`, `12.5 minutes`, `1,234.5 hours`."""
    units = ((3600, "hour"), (60, "minute"), (1, "second"))
    size_s, unit = next((each for each in units if seconds >= each[0]), units[-1])
    number = f"{seconds / size_s:,.1f}".removesuffix(".0")
    return f"{number} {unit}{'' if number == '1' else 's'}"


def format_bytes(size_bytes: int) -> str:
    """Return bytes in a readable unit: `512 B`, `3.4 MB`, `1.2 TB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def format_count(n: int, noun: str) -> str:
    """Return a number with its noun: `1 video`, `1,200 videos`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def format_names(names: Sequence[str], at_most: int = 3) -> str:
    """Return the first names of many: `a, b, c …`."""
    return ", ".join(names[:at_most]) + (" …" if len(names) > at_most else "")
