"""Labels, times, ages and consent as annotators write them, read as values. Pure.

Tolerant of form (1, "1", 1.0; 65, 1:05, 00:01:05.000), strict about meaning: anything else is None,
and its reader reports a fault.
"""

from __future__ import annotations

import re

_SECONDS = re.compile(r"\d+(?:[.,]\d*)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d*)?)", re.ASCII)
_WHOLE = re.compile(r"(\d{1,3})(?:\.0*)?", re.ASCII)

_LABELS = {
    "0": 0,
    "0.0": 0,
    "false": 0,
    "no": 0,
    "1": 1,
    "1.0": 1,
    "true": 1,
    "yes": 1,
    "n": 0,
    "y": 1,
}
_CONSENT = {
    **dict.fromkeys(("yes", "y", "true", "1", "1.0"), True),
    **dict.fromkeys(("no", "n", "false", "0", "0.0"), False),
}


def label_of(text: str) -> int | None:
    """Return 1 for A/H and 0 for no A/H; None for anything else."""
    return _LABELS.get(text.strip().lower())


def seconds_of(text: str) -> float | None:
    """Return seconds from seconds, minutes:seconds, or hours:minutes:seconds; None otherwise."""
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text.replace(",", "."))
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    hours, minutes, seconds = found.groups()
    minutes, seconds = int(minutes), float(seconds.replace(",", "."))
    if seconds >= 60 or (hours is not None and minutes >= 60):
        return None
    return int(hours or 0) * 3600 + minutes * 60 + seconds


def age_of(text: str) -> int | None:
    """Return whole years up to 130; None otherwise."""
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found and int(found[1]) <= 130 else None


def consent_of(text: str | None) -> bool | None:
    """Return whether somebody consented; None if it cannot be read. An empty text is no consent."""
    return _CONSENT.get(text.strip().lower()) if text and text.strip() else False
