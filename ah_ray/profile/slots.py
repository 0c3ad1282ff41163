"""The slots of a prompt's text, `<video>` and `<audio>`: where the model meets the clip.

A third input, such as a transcript, would need a slot here, a field of `ah_ray.records.Clip` and
tokens in `ah_ray.omni.inputs.prompt`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VIDEO, AUDIO = "<video>", "<audio>"

_SLOT = re.compile(r"(?P<escape>\\?)(?P<slot><(?:video|audio)>)")


def count_slots(text: str, slot: str) -> int:
    """Return how often a prompt's text holds `<video>` or `<audio>` as a place for the clip.

    Behind a backslash it is ordinary text, which the model reads.
    """
    found = _SLOT.finditer(text)
    return sum(match["slot"] == slot and not match["escape"] for match in found)


def fill_slots(text: str, filled: Mapping[str, str]) -> str:
    """Return a prompt's text with its slots filled, and ordinary text without the backslash."""
    return _SLOT.sub(
        lambda match: match["slot"] if match["escape"] else filled[match["slot"]], text
    )


def split_after_media(text: str) -> tuple[str, str, str]:
    """Return a prompt's text in three parts: before its first slot, up to its last one, the rest.

    The second part begins and ends with a slot.
    """
    slots = [match.span() for match in _SLOT.finditer(text) if not match["escape"]]
    start, stop = slots[0][0], slots[-1][1]
    return text[:start], text[start:stop], text[stop:]
