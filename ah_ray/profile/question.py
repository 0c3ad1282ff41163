"""A question about a clip: its text, its answers, and what of the clip the model sees."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from ah_ray.profile.answers import NO, YES, answer_word
from ah_ray.profile.slots import AUDIO, VIDEO, count_slots
from ah_ray.validation import FrozenModel

MOST_ANSWERS = 16
MOST_CHARACTERS = 100_000
"""Limits for what a profile may ask: it may come with a model that somebody else made."""

QUESTION_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
"""A regular expression of what a question, or a contrast, may be called."""


class Sees(StrEnum):
    """What of a clip a question is about."""

    BOTH = "both"
    PICTURE = "picture"
    SOUND = "sound"


class Question(FrozenModel):
    """What is asked after the clip, and the answers among which the model chooses.

    An answer that is `positive` makes the question's score. A `scale` has a number for each answer,
    in their order; the question's value is then the mean number, weighted by the probabilities.
    """

    name: str = Field(pattern=f"^{QUESTION_NAME}$", description="in tables and reports")
    text: str | None = Field(
        None,
        max_length=MOST_CHARACTERS,
        description="follows the clip; the first question may leave it out, and is then what "
        "`user` says after the clip",
    )
    answers: tuple[str, ...] = Field((YES, NO), min_length=2, max_length=MOST_ANSWERS)
    positive: str | None = None
    scale: tuple[float, ...] | None = None
    sees: Sees = Sees.BOTH
    reducer: str = Field(
        "mean", description="how the clips' probabilities become the video's, answer by answer"
    )

    @field_validator("answers", mode="before")
    @classmethod
    def _spell_answers(cls, value: object) -> object:
        """YAML reads an unquoted Yes or No as a truth value."""
        return tuple(map(_spell, value)) if isinstance(value, list | tuple) else value

    @field_validator("positive", mode="before")
    @classmethod
    def _spell_positive(cls, value: object) -> object:
        return _spell(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for answer in self.answers:
            if not answer.strip() or answer != answer.strip() or len(answer) > 100:
                raise ValueError(f"the answer {answer[:100]!r} is empty, too long, or has spaces")
            if not answer.isprintable() or "<" in answer:
                raise ValueError(f"the answer {answer!r} holds characters that no answer may have")
        if len(set(self.answers)) < len(self.answers):
            raise ValueError("two answers are the same")
        if self.positive is not None and self.positive not in self.answers:
            raise ValueError(f"positive: {self.positive} is none of its answers")
        if self.positive is not None and self.scale is not None:
            raise ValueError("give either a positive answer or a scale")
        if self.scale is not None and (
            len(self.scale) != len(self.answers) or not all(map(math.isfinite, self.scale))
        ):
            raise ValueError("scale: give one number for each answer, in their order")
        if self.text is not None and any(count_slots(self.text, slot) for slot in (VIDEO, AUDIO)):
            raise ValueError(
                r"text: the clip comes before it (as words they are written \<video>, \<audio>)"
            )
        return self

    def answer_text(self, answer: str) -> str:
        """Return the whole answer that a model is trained to give: `<answer>Yes</answer>`."""
        return f"<answer>{answer}</answer>"


class Contrast(FrozenModel):
    """Two questions with the same answers whose answers are compared.

    Their Jensen–Shannon distance is 0 where both were answered alike, and 1 where no answer has a
    chance in both.
    """

    name: str = Field(pattern=f"^{QUESTION_NAME}$", description="in tables and reports")
    between: tuple[str, str] = Field(description="the names of the two questions")


def _spell(value: object) -> object:
    return answer_word(value) if isinstance(value, bool) else value
