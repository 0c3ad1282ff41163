"""What is known of a labelled video once its source was read, whichever source that was."""

from __future__ import annotations

from dataclasses import dataclass, field

from ah_ray.study.faults import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A stretch of a video that has one label throughout."""

    start_s: float
    end_s: float | None  # None: to the video's end
    label: int
    question: str | None = None  # None: is it A/H
    place: Place

    @property
    def is_whole(self) -> bool:
        return self.end_s is None and self.start_s == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a source tells of a participant; null where it does not."""

    age: int | None = None
    gender: str | None = None
    ethnicity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVideo:
    """One video with its labels. `participant` is the source's own name: not to be written."""

    uri: str
    video_id: str
    label: int | None  # of the whole video; None if only simpler questions were asked of it
    participant: str
    split: str | None  # None: to be drawn
    marked: tuple[Marked, ...]
    place: Place
    person: Person = field(default_factory=Person)
    language: str | None = None
