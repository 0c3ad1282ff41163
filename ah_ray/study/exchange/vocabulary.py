"""What annotations of other tools mean: a small YAML file, and the words of our own exports.

    annotations:
      - {tier: "AMB*", value: "ambivalent", label: yes}
      - {tier: "AMB*", value: "clear", label: no}
      - {tier: "overall", value: "1", label: yes, whole: true}
      - {tier: "face", question: face, answer: "*"}
      - {tier: "gaze", label: ignored}
    unmarked: no

The first entry that fits an annotation decides. `tier` is ELAN's tier, BORIS's behaviour or the
name of Label Studio's control; `value` is the text of the annotation, the modifiers or the label. A
`*` stands for any characters, case makes no difference, and what is left out fits everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.profile import DEFAULT_CONSTRUCT, NO, YES
from ah_ray.profile.question import QUESTION_NAME
from ah_ray.study.exchange.settings import Tool
from ah_ray.study.exchange.tiers import BY_MODEL, OF_VIDEO
from ah_ray.study.label_values import label_of
from ah_ray.study.source_files import read_source
from ah_ray.validation import FrozenModel, first_problem

ANY = "*"
VOCABULARY_FILE = "vocabulary.yaml"
LABEL_CONTROL, VIDEO_CONTROL = "label", "label_of_video"
"""Controls of Label Studio: of a stretch, and of a whole video."""
ANNOTATOR_CONTROL = "annotator"
AGREED = "all annotators"
"""What Label Studio's field of the annotator has where all agreed: it would name a user else."""
_IGNORED = "ignored"


class Meaning(StrEnum):
    """What an annotation says."""

    YES = "yes"
    NO = "no"
    IGNORED = _IGNORED


class Entry(FrozenModel):
    """What annotations in some tiers, with some values, mean."""

    tier: str = ANY
    value: str = ANY
    label: Meaning | None = None
    whole: bool = False  # it is about the whole video, at any time it is written
    question: str | None = None  # with a label: text of a simpler question; None: is it A/H
    answer: str | None = None  # instead of a label: to the profile's question of this name

    @field_validator("tier", "value", "answer", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """YAML reads an unquoted 1, Yes or No as a number or a truth value."""
        if isinstance(value, bool):
            return YES if value else NO
        return str(value) if isinstance(value, int | float) else value

    @field_validator("label", mode="before")
    @classmethod
    def _as_meaning(cls, value: object) -> object:
        if (label := _label_of(value)) is not None:
            return (Meaning.NO, Meaning.YES)[label]
        if value == _IGNORED:
            return Meaning.IGNORED
        raise ValueError("write yes, no or ignored")  # the value may be endless: it is not shown

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.label is None) == (self.answer is None):
            raise ValueError("give `label`, or `question` and `answer`")
        if self.label is Meaning.IGNORED and (self.whole or self.question):
            raise ValueError("what is ignored has neither `whole` nor `question`")
        if self.answer is not None and not re.fullmatch(QUESTION_NAME, self.question or ""):
            raise ValueError("`question`: name the question of the profile that is answered")
        return self

    def answer_of(self, value: str) -> str | None:
        """Return the answer that an annotation with this value gives; None if it is a label."""
        return value if self.answer == ANY else self.answer

    def fits(self, tier: str, value: str) -> bool:
        """Return whether an annotation is meant."""
        return self.fits_tier(tier) and bool(self._value.fullmatch(_plain(value)))

    def fits_tier(self, tier: str) -> bool:
        """Return whether annotations in a tier may be meant."""
        return bool(self._tier.fullmatch(_plain(tier)))

    @cached_property
    def _tier(self) -> re.Pattern[str]:
        return _pattern(self.tier)

    @cached_property
    def _value(self) -> re.Pattern[str]:
        return _pattern(self.value)


class Vocabulary(FrozenModel):
    """The entries in their order, and what else a tool's files leave open."""

    annotations: tuple[Entry, ...] = ()
    unmarked: bool | None = None  # False: a video without a Yes is a No; None: not known
    annotator: str = "annotator"  # independent variable of BORIS that names the annotator
    fps: float | None = Field(None, gt=0)  # of Label Studio's frames, where a task does not tell

    @field_validator("unmarked", mode="before")
    @classmethod
    def _as_no(cls, value: object) -> object:
        if value is None or _label_of(value) == 0:
            return None if value is None else False
        raise ValueError("write `unmarked: no`, or leave it out")

    def find(self, tier: str, value: str) -> Entry | None:
        """Return the first entry that fits an annotation; None if none does."""
        return next((entry for entry in self.annotations if entry.fits(tier, value)), None)

    def may_label(self, tier: str) -> bool:
        """Return whether annotations in a tier can be labels: an entry for it says Yes or No."""
        entries = [
            entry
            for entry in self.annotations
            if entry.fits_tier(tier) and entry.label is not None and entry.question is None
        ]
        return bool(entries) and not (
            entries[0].value == ANY and entries[0].label is Meaning.IGNORED
        )

    def extended(self, other: Vocabulary) -> Vocabulary:
        """Return this vocabulary with the entries of another behind its own."""
        return self.model_copy(update={"annotations": self.annotations + other.annotations})


def given_control(question: str) -> str:
    """Return the control of Label Studio in which people answer a further question."""
    return f"{LABEL_CONTROL}_{question}"


def own_vocabulary(
    tool: Tool, construct: str = DEFAULT_CONSTRUCT, questions: Iterable[str] = ()
) -> Vocabulary:
    """Return the words of our own exports for a tool; `questions` are those people answered."""
    if tool is Tool.LABEL_STUDIO:
        part, whole = LABEL_CONTROL, VIDEO_CONTROL
        ignored = [f"{BY_MODEL.strip()}_*", ANNOTATOR_CONTROL]
        of_video = VIDEO_CONTROL.removeprefix(LABEL_CONTROL)
        asked = [(given_control(name), name) for name in questions]
    else:
        part, whole = construct, construct + OF_VIDEO
        ignored = [f"{BY_MODEL}*"]
        of_video = OF_VIDEO
        asked = [(name, name) for name in questions]
    meant = ((YES, Meaning.YES), (NO, Meaning.NO))
    return Vocabulary(
        annotations=(
            *(Entry(tier=tier, label=Meaning.IGNORED) for tier in ignored),
            *(Entry(tier=part, value=value, label=label) for value, label in meant),
            *(Entry(tier=whole, value=value, label=label, whole=True) for value, label in meant),
            *(Entry(tier=one, question=name, answer=ANY) for one, name in asked),
            *(
                Entry(tier=one + of_video, question=name, answer=ANY, whole=True)
                for one, name in asked
            ),
        )
    )


def write_vocabulary(vocabulary: Vocabulary) -> bytes:
    """Return the YAML file of a vocabulary."""
    fields = vocabulary.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True).encode()


def read_vocabulary(place: str | None, tool: Tool) -> Vocabulary:
    """Return the vocabulary of --vocabulary, with the words of our exports behind it.

    Raise ConfigError if the file cannot be read, or is no vocabulary.
    """
    if place is None:
        return own_vocabulary(tool)
    try:
        fields: Any = yaml.safe_load(read_source(storage.normalise(place)))
        if not isinstance(fields, dict):
            raise ConfigError(f"--vocabulary {place}: it has no list `annotations`")
        return Vocabulary(**fields).extended(own_vocabulary(tool))
    except StorageError as error:
        raise ConfigError(f"--vocabulary {place}: {error}") from None
    except ValidationError as error:
        raise ConfigError(f"--vocabulary {place}: {first_problem(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, TypeError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"--vocabulary {place}: not valid YAML: {text}") from None


def _label_of(value: object) -> int | None:
    """Return the label that YAML's Yes, No, 1, 0 or a text is. Aliases are not expanded for it."""
    return label_of(str(value)) if isinstance(value, str | bool | int) else None


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, _plain(text).split(ANY))), re.DOTALL)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
