"""What a file of another tool says of a recording, in the tool's own words."""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.cohort.identity import VIDEO_ID
from ah_ray.study.label_errors import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """One annotation: a value in a tier, at some time."""

    tier: str  # ELAN's tier, BORIS's behaviour, Label Studio's control
    value: str  # the text, the modifiers, the label; may be empty
    start_s: float
    end_s: float
    place: Place
    has_times: bool = True  # False: it is of the whole recording


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedVideo:
    """All that one annotator says of one recording, in one place.

    `media`: how the recording is called there, the surest name first: paths and URLs.
    """

    media: tuple[str, ...]
    video_id: str | None  # of an export of ours, and of what was annotated in it
    annotator: str | None  # None: nobody is named
    participant: str | None
    annotations: tuple[Coded, ...]
    tiers: tuple[str, ...]  # that could hold annotations
    place: Place
    part: str = ""  # of the file: `observation X`, `task 7`


def own_id(text: str | None) -> str | None:
    """Return the video_id that our export wrote into a file; None if none is valid."""
    text = (text or "").strip()
    return text if VIDEO_ID.fullmatch(text) else None
