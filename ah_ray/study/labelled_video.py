"""A labelled video as any source describes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ah_ray.study.label_errors import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """An interval of a video that has one label throughout."""

    start_s: float
    end_s: float | None  # None: to the video's end
    label: int
    question: str | None = None  # None: is it A/H
    place: Place

    @property
    def is_whole(self) -> bool:
        return self.end_s is None and self.start_s == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedAnswer:
    """An interval of a video in which a question of a profile has one answer throughout."""

    start_s: float
    end_s: float | None  # None: to the video's end
    question: str  # its name
    answer: str
    weight: float = 1.0  # in the loss
    place: Place

    @property
    def is_whole(self) -> bool:
        return self.end_s is None and self.start_s == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedInterval:
    """An interval that one annotator marked as A/H, and why."""

    start_s: float
    end_s: float
    certainty: str | None = None
    cues: tuple[tuple[str, str | None], ...] = ()  # one of CUES, and the annotator's words
    place: Place | None = None  # where it is written, if that is not in `marked` too


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What one annotator says about a video. `annotator` is the source's own name."""

    annotator: str | None
    label: int
    intervals: tuple[MarkedInterval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A piece of the transcript; times are null where they are not written."""

    start_s: float | None
    end_s: float | None
    language: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a source says about a participant; null where it says nothing."""

    age: int | None = None
    gender: str | None = None
    ethnicity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVideo:
    """One video with its labels. `participant` is the source's own name, which is never written."""

    uri: str
    video_id: str
    label: int | None  # of the whole video; None if only simpler questions were asked of it
    participant: str
    split: str | None  # None: to be drawn
    marked: tuple[Marked, ...]
    place: Place
    person: Person = field(default_factory=Person)
    language: str | None = None
    annotations: tuple[Annotated, ...] = ()
    transcript: tuple[Utterance, ...] | None = None
    answers: tuple[MarkedAnswer, ...] = ()  # to questions of a profile
    content: str | None = None  # of the file's bytes (content.py); known once it was opened
