"""Which question of the outputs' profiles is judged."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.output.config import OutputConfig, require_config
from ah_ray.profile import YES, Question
from ah_ray.study.evaluation.answers.schema import SCALE, SEVERAL, YES_NO, JudgedQuestion

_SAME_TO_JUDGE = ("answers", "scale", "positive")


def find_question(name: str, outs: Sequence[str]) -> JudgedQuestion | None:
    """Return the question of this name, or None if it is the one whose verdicts are judged anyway.

    That is the first question of the profile, if it has two answers. Raise ConfigError if an output
    did not ask it, or if two outputs asked it with other answers.
    """
    configs = [require_config(storage.normalise(out)) for out in outs]
    found = [_question_of(name, out, config) for out, config in zip(outs, configs, strict=True)]
    first = found[0]
    for out, other in zip(outs, found, strict=True):
        if any(getattr(first, each) != getattr(other, each) for each in _SAME_TO_JUDGE):
            raise ConfigError(
                f"--question {name}: {outs[0]} and {out} asked it with other answers or another "
                "scale, so they cannot be judged together; evaluate each by itself"
            )
    is_first = next(iter(configs[0].questions)) == name
    kind = _kind_of(first)
    if is_first and kind == YES_NO:
        return None
    return JudgedQuestion(
        name=name,
        kind=kind,
        answers=first.answers,
        positive=_positive_of(first) if kind == YES_NO else None,
        scale=first.scale,
        sees=first.sees.value,
        is_first=is_first,
    )


def _question_of(name: str, out: str, config: OutputConfig) -> Question:
    questions = config.questions
    if name not in questions:
        raise ConfigError(
            f"--question {name}: {out} did not ask it; its profile asks {', '.join(questions)}"
        )
    return questions[name]


def _kind_of(question: Question) -> str:
    if question.scale is not None:
        return SCALE
    return YES_NO if len(question.answers) == 2 else SEVERAL


def _positive_of(question: Question) -> str:
    """Return the answer whose probability is the score: the positive one, Yes, or the first."""
    if question.positive is not None:
        return question.positive
    return YES if YES in question.answers else question.answers[0]
