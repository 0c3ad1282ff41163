"""Remarks on the quality of a video that do not keep it from being scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any


class Remark(StrEnum):
    """Something unusual about a video that was scored all the same."""

    SOUND_UNDECODABLE = "sound_undecodable"
    SOUND_ENCRYPTED = "sound_encrypted"
    SOUND_FROM_ANOTHER_TRACK = "sound_from_another_track"
    SOUND_OUTSIDE_PICTURE = "sound_outside_picture"
    CHANNELS_OPPOSITE = "channels_opposite"
    CLOCK_RESTARTS = "clock_restarts"
    SIZE_CHANGES = "size_changes"
    SECOND_MOVIE = "second_movie"

    @property
    def label(self) -> str:
        """Return one to three words for a table."""
        return _LABELS[self]

    @property
    def sentence(self) -> str:
        """Return what it means, as a sentence for people."""
        return _SENTENCES[self]


_SENTENCES = {
    Remark.SOUND_UNDECODABLE: "its sound cannot be decoded; it is scored as a video without sound",
    Remark.SOUND_ENCRYPTED: "its sound is encrypted; it is scored as a video without that sound",
    Remark.SOUND_FROM_ANOTHER_TRACK: "its sound comes from another track than the default one",
    Remark.SOUND_OUTSIDE_PICTURE: "some of its sound is before the first picture or after the "
    "last; no clip holds it",
    Remark.CHANNELS_OPPOSITE: "its channels cancel one another where they are mixed; the louder "
    "one is used there",
    Remark.CLOCK_RESTARTS: "several recordings are joined in it; they are scored one after the "
    "other",
    Remark.SIZE_CHANGES: "its picture changes its size",
    Remark.SECOND_MOVIE: "another movie follows in the file that no index names; only the first "
    "is scored",
}


_LABELS = {
    Remark.SOUND_UNDECODABLE: "sound not decodable",
    Remark.SOUND_ENCRYPTED: "sound encrypted",
    Remark.SOUND_FROM_ANOTHER_TRACK: "sound of another track",
    Remark.SOUND_OUTSIDE_PICTURE: "sound without picture",
    Remark.CHANNELS_OPPOSITE: "channels cancel out",
    Remark.CLOCK_RESTARTS: "joined recordings",
    Remark.SIZE_CHANGES: "size changes",
    Remark.SECOND_MOVIE: "second movie not scored",
}


def describe_quality(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the remarks of a VERDICTS row about its video's quality, a few words each."""
    if row["has_audio"] is False:
        yield "no sound"
    elif row["sound_is_silent"]:
        yield "silent"
    if row["picture_is_still"]:
        yield "still picture"
    for remark in row["remarks"] or ():
        if remark == Remark.SOUND_OUTSIDE_PICTURE:
            yield f"{row['unscored_sound_s'] or 0:.0f} s of sound not scored"
        else:
            yield Remark(remark).label if remark in set(Remark) else remark
