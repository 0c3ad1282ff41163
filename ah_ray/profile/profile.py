"""A profile: the prompt, its questions, and the sizes in which the model sees a clip.

The published code has two prompts that do not agree (training and inference), so the prompt is
never a constant of the scorer: `seed` is the training prompt, and users can bring their own file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from ah_ray.profile.answers import YES, answer_word
from ah_ray.profile.question import MOST_CHARACTERS, Contrast, Question, Sees
from ah_ray.profile.slots import AUDIO, VIDEO, count_slots, split_after_media
from ah_ray.validation import FrozenModel

SOUND_HZ = 16_000
"""The rate of all sound that a model hears."""
SAMPLED = "sampled"
FRAMES_PER_GRID = 2
"""Two frames that follow one another are one temporal grid of the model."""

FIRST_QUESTION = "ah"
"""The name of the question of a profile that lists none."""

DEFAULT_CONSTRUCT = "A/H"
"""What the first question is about, if a profile does not say it."""

MOST_PIXELS = 4096 * 4096
MOST_QUESTIONS = 32
"""Limits for what a profile may ask: it may come with a model that somebody else made."""


class ScaleIn(StrEnum):
    """The colours in which a decoded picture is scaled."""

    RGB = "rgb"  # converted at full size, then scaled, as the reference does
    YUV = "yuv"  # scaled as it was decoded, then converted


class FirstResize(FrozenModel):
    """A first resize that comes before the one to multiples of 32 px.

    The frame reader of the published work was called without the model's patch size, so it sized
    by factor 28, with limits of its own, and the processor then sized its result again.
    """

    factor: int = Field(ge=2, le=64, description="both sides become multiples of so many px")
    min_pixels: int = Field(ge=1)
    max_pixels: int = Field(ge=1, le=MOST_PIXELS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_pixels > self.max_pixels:
            raise ValueError("first_resize: min_pixels is larger than max_pixels")
        return self


class Profile(FrozenModel):
    """What the model is asked, and how a clip is presented to it.

    `user` holds `<video>` and `<audio>` once each; their order in the text is the order in which
    the model meets them. Behind a backslash they are ordinary text. What follows the last of them
    is the question. `questions` lists several, which are asked of one look at the clip: verdicts
    are made of the first one, and each `text` follows the clip. `construct` is what the first
    question is about, in the words of reports. `contrasts` compares questions in pairs.

    `min_pixels` and `max_pixels` limit a frame as the model sees it, and `first_resize` what comes
    before that; media/resize.py has the arithmetic.

    `second_per_grid` places the frames in time. A number counts for every clip: 2.0 is what
    ms-swift before 4.6 used for every clip. `sampled` is each clip's own value, 2 ÷ (frames a
    second that it shows), as from ms-swift 4.6 on; with `floor_positions` all positions are then
    cut to integers, as that does in training (and does not when it infers).
    """

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(min_length=1, max_length=100)
    system: str | None = Field(None, max_length=MOST_CHARACTERS)
    user: str = Field(max_length=MOST_CHARACTERS)
    construct_name: str = Field(DEFAULT_CONSTRUCT, min_length=1, max_length=60, alias="construct")
    questions: tuple[Question, ...] = Field((), max_length=MOST_QUESTIONS)
    contrasts: tuple[Contrast, ...] = Field((), max_length=MOST_QUESTIONS)
    fps: float = Field(2.0, gt=0, le=120)
    min_frames: int = Field(4, ge=2, multiple_of=2)
    min_pixels: int = Field(ge=32 * 32)
    max_pixels: int = Field(ge=32 * 32, le=MOST_PIXELS)
    first_resize: FirstResize | None = None
    scale_in: ScaleIn = ScaleIn.RGB
    second_per_grid: float | Literal["sampled"]
    floor_positions: bool = False
    pixel_aspect: Literal["coded", "displayed"] = Field(
        "coded",
        description="how pictures with oblong pixels are shown: as they are stored, as the "
        "reference does, or as a player shows them",
    )

    @field_validator("questions", mode="before")
    @classmethod
    def _name_questions(cls, value: object) -> object:
        """Accept what YAML has: a map from the name to the rest."""
        if not isinstance(value, Mapping):
            return value
        return [_name_entry(name, fields) for name, fields in value.items()]

    @field_validator("contrasts", mode="before")
    @classmethod
    def _name_contrasts(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return [{"name": name, "between": between} for name, between in value.items()]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("name", "construct_name"):  # they are in rows and reports, and on the terminal
            if not getattr(self, name).isprintable():
                raise ValueError(f"`{name}` holds characters that cannot be shown")
        for slot in (VIDEO, AUDIO):
            if count_slots(self.user, slot) != 1:
                raise ValueError(
                    f"`user` must hold {slot} exactly once (as words it is written \\{slot})"
                )
        if self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels is larger than max_pixels")
        if not isinstance(self.second_per_grid, str) and not 0 < self.second_per_grid < math.inf:
            raise ValueError(f"second_per_grid is neither a number above 0 nor `{SAMPLED}`")
        self._check_questions()
        self._check_contrasts()
        return self

    def _check_questions(self) -> None:
        _check_distinct("questions", [question.name for question in self.questions])
        if not self.questions:
            return
        if self.complete_questions[0].positive is None:
            raise ValueError(
                f"questions.{self.questions[0].name}: verdicts are made of the first question, so "
                "say which of its answers is positive"
            )
        for question in self.questions[1:]:
            if question.text is None:
                raise ValueError(f"questions.{question.name}: give the text of the question")
        texts = [self.user_text(question) for question in self.complete_questions]
        for number, text in enumerate(texts):
            if text in texts[:number]:
                same = self.questions[texts.index(text)].name
                raise ValueError(
                    f"questions.{self.questions[number].name} has the same text as {same}: ask in "
                    "another way, or leave one out"
                )

    def _check_contrasts(self) -> None:
        _check_distinct("contrasts", [contrast.name for contrast in self.contrasts])
        asked = {question.name: question for question in self.complete_questions}
        for contrast in self.contrasts:
            for name in contrast.between:
                if name not in asked:
                    raise ValueError(f"contrasts.{contrast.name}: there is no question {name}")
            first, second = (asked[name] for name in contrast.between)
            if first.answers != second.answers or first is second:
                raise ValueError(
                    f"contrasts.{contrast.name}: name two questions with the same answers"
                )

    @property
    def complete_questions(self) -> tuple[Question, ...]:
        """Return all questions with their texts; a profile that lists none has the one of `user`.

        Of the answers Yes and No, Yes is positive if the first question does not say which.
        """
        first, *others = self.questions or (Question(name=FIRST_QUESTION),)
        completed: dict[str, Any] = {}
        if first.text is None:
            completed["text"] = split_after_media(self.user)[2]
        if first.positive is None and first.scale is None and YES in first.answers:
            completed["positive"] = YES
        return (first.model_copy(update=completed), *others)

    @property
    def title(self) -> str:
        """Return the name for people, and the construct unless it is A/H: `mine (engagement)`."""
        if self.construct_name == DEFAULT_CONSTRUCT:
            return self.name
        return f"{self.name} ({self.construct_name})"

    def user_text(self, question: Question) -> str:
        """Return the user's turn of the prompt for one of `complete_questions`.

        A question about the picture alone, or about the sound alone, follows the text before the
        clip and this part of the clip.
        """
        lead, media, _ = split_after_media(self.user)
        seen = {Sees.BOTH: media, Sees.PICTURE: VIDEO, Sees.SOUND: AUDIO}[question.sees]
        return f"{lead}{seen}{question.text}"

    def select_questions(self, names: Sequence[str]) -> Profile:
        """Return a profile that asks its first question and those of these names.

        Contrasts of questions that are left out are left out too. Raise ValueError if there is no
        question of a name.
        """
        known = [question.name for question in self.complete_questions]
        if unknown := [name for name in names if name not in known]:
            raise ValueError(
                f"profile {self.name} has no question {unknown[0]}: {', '.join(known)}"
            )
        kept = [question for question in self.questions if question.name in (known[0], *names)]
        left = {question.name for question in kept}
        contrasts = [one for one in self.contrasts if left.issuperset(one.between)]
        return self.model_copy(update={"questions": tuple(kept), "contrasts": tuple(contrasts)})

    def describe_scoring(self) -> dict[str, Any]:
        """Return all that changes a score, as JSON holds it.

        What a profile without a list of questions lacks is left out, so that its fingerprint is the
        one that it had before there were such lists. A list of that one question is left out too.
        """
        unused = {name for name in ("questions", "contrasts") if not getattr(self, name)}
        if self.complete_questions == self.model_copy(update={"questions": ()}).complete_questions:
            unused.add("questions")
        return self.model_dump(mode="json", exclude={"name", "construct_name"} | unused)

    def answer_text(self, is_yes: bool) -> str:
        """Return the whole answer that the model was trained to give: `<answer>Yes</answer>`."""
        return self.complete_questions[0].answer_text(answer_word(is_yes))

    def grid_seconds(self, seconds: float, n_frames: int) -> float:
        """Return the seconds from one temporal grid of a clip to the next.

        The clip shows `n_frames` of `seconds` of pictures.
        """
        if isinstance(self.second_per_grid, str):  # SAMPLED
            return FRAMES_PER_GRID * seconds / n_frames
        return self.second_per_grid

    @property
    def pixel_limit(self) -> int:
        """Return how many pixels a frame of a large picture has, before it is rounded to 32 px."""
        limits = [self.max_pixels]
        if self.first_resize is not None:
            limits.append(self.first_resize.max_pixels)
        return min(limits)


def _name_entry(name: object, fields: object) -> object:
    fields = {} if fields is None else fields  # `ah:` alone
    return {"name": name, **fields} if isinstance(fields, Mapping) else fields


def _check_distinct(what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: two have the same name")
