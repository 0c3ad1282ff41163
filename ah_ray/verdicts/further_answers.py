"""The answers to further questions: of several models as one, and of a whole video. Pure.

Only the first question makes a verdict. The answers to the others are reduced one by one, with no
threshold and no calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ah_ray.verdicts.reducers import parse_reducer

_Part = Mapping[str, Any]
"""One answer or one contrast of a clip, as records.ANSWER or records.CONTRAST has it."""


def average_answers(members: Sequence[Sequence[_Part] | None]) -> list[dict[str, Any]] | None:
    """Return one clip's answers from those of several models; None if there are none.

    `p` and `mass` are means over the models that were asked the question.
    """
    return _average(members, ("question", "answer"), ("p", "mass"))


def average_contrasts(members: Sequence[Sequence[_Part] | None]) -> list[dict[str, Any]] | None:
    """Return one clip's contrasts from those of several models: the means of their distances."""
    return _average(members, ("contrast",), ("distance",))


def find_likeliest(answers: Sequence[_Part]) -> dict[str, tuple[str, float]]:
    """Return the answer with the highest probability to each question, and that probability."""
    found: dict[str, tuple[str, float]] = {}
    for one in answers:
        if one["question"] not in found or one["p"] > found[one["question"]][1]:
            found[one["question"]] = (one["answer"], one["p"])
    return found


def find_expected_value(p: Sequence[float], scale: Sequence[float]) -> float | None:
    """Return the mean of a scale's numbers, weighted by the probabilities of their answers.

    Probabilities that were reduced one by one may not sum to 1, so they are divided by their sum.
    None if no answer has a chance.
    """
    total = math.fsum(p)
    if total <= 0:
        return None
    mean = math.fsum(one * number for one, number in zip(p, scale, strict=True)) / total
    return min(max(mean, min(scale)), max(scale))


def _average(
    members: Sequence[Sequence[_Part] | None], key: Sequence[str], values: Sequence[str]
) -> list[dict[str, Any]] | None:
    found: dict[tuple[str, ...], list[_Part]] = {}  # in order of appearance
    for part in chain.from_iterable(member or () for member in members):
        found.setdefault(tuple(part[name] for name in key), []).append(part)
    return [
        dict(zip(key, of_key, strict=True))
        | {name: math.fsum(part[name] for part in parts) / len(parts) for name in values}
        for of_key, parts in found.items()
    ] or None


def reduce_asked(
    clips: Sequence[Mapping[str, Any]], reducers: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """Return what records.VERDICT holds in `asked`, from a video's clips.

    `reducers` names the reducer of each further question. Clips without answers are left out; the
    result is None if there is no question or no answer.
    """
    p: dict[tuple[str, str], list[float]] = {}
    lengths_s: dict[tuple[str, str], list[float]] = {}
    for clip in clips:
        for answer in clip["answers"] or ():
            if answer["question"] in reducers:
                key = (answer["question"], answer["answer"])
                p.setdefault(key, []).append(answer["p"])
                lengths_s.setdefault(key, []).append(clip["end_s"] - clip["start_s"])
    return [
        {
            "question": question,
            "answer": answer,
            "p": parse_reducer(reducers[question])(found, lengths_s[question, answer]),
            "reducer": reducers[question],
        }
        for (question, answer), found in p.items()
    ] or None
