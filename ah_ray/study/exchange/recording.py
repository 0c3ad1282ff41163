"""What is exported of a recording: scores of its clips, answers, and people's labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Spell = tuple[float, float]
"""Start and end in seconds from the first picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """A further question of the profile, and the answers among which the model chose."""

    name: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedClip:
    """A scored clip; one that failed has neither probability nor answer."""

    start_s: float
    end_s: float
    p: float | None  # of Yes to the first question
    answer: str | None
    further: Mapping[str, tuple[str, float]]  # question → its likeliest answer, and probability
    contrasts: Mapping[str, float]
    error_kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorLabels:
    """What one annotator said of a recording, by pseudonym; None: what all agreed on."""

    annotator: str | None
    label: int | None  # of the whole recording: 1 Yes, 0 No; None: not known
    marks: tuple[Spell, ...]  # where it is a Yes


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """What people answered to a further question; without times, about the whole recording."""

    question: str
    answer: str
    start_s: float | None
    end_s: float | None  # None with a start: to the end of the recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording under its pseudonym, or with its place if that was asked for."""

    name: str  # the video_id
    media: str  # a file name made from `name`; with links the URI of the recording
    is_linked: bool
    participant: str | None
    visit: str | None
    duration_s: float | None
    fps: float | None
    status: str
    error_kind: str | None
    p: float | None
    answer: str | None
    clips: tuple[ExportedClip, ...]
    labels: tuple[AnnotatorLabels, ...] = ()
    given: tuple[GivenAnswer, ...] = ()

    @property
    def media_name(self) -> str:
        """Return the name of the media file without its folder."""
        return self.media.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCohort:
    """All recordings of an output, and what was asked about them."""

    recordings: tuple[Recording, ...]  # by name
    construct: str  # that is scored: A/H
    questions: tuple[AskedQuestion, ...]  # further ones
    contrasts: tuple[str, ...]
    labelled_questions: tuple[AskedQuestion, ...]  # further ones that people answered
    model: str  # its name without its folder
    made_by: str  # name and version of this program
    scored_at: datetime  # the newest row
