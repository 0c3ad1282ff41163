"""Labels of a profile's questions, by name, in the rows of a table. Pure.

    long form   uri,start_s,end_s,question,answer,weight,participant    a row for each answer
    wide form   uri,start_s,end_s,label,face,voice,participant          `--label-columns face,voice`

Which answers a question has is known to the profile alone, so training compares them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from ah_ray.profile.question import QUESTION_NAME
from ah_ray.study.label_errors import Place
from ah_ray.study.labelled_video import MarkedAnswer
from ah_ray.study.table_rows import Row

_MOST_CHARACTERS = 100


def named_answers(
    row: Row,
    span: tuple[float, float | None],
    columns: Mapping[str, str],
    place: Place,
    tell: Callable[[str, str], None],
) -> tuple[MarkedAnswer, ...]:
    """Return the answers that a row gives for its interval, in the order of its columns.

    `columns` are those of the wide form, by question. What cannot be used is given to `tell`:
    problem and remedy.
    """
    given = {name: text for name, column in columns.items() if (text := row.get(column))}
    if answer := row.get("answer"):
        question = row.get("question") or ""
        if not re.fullmatch(QUESTION_NAME, question):
            what = f"{question!r} is no question's name" if question else "the question is missing"
            tell(what, "write the name of a question of the profile beside its answer")
        elif question in given:
            tell(f"the answer to {question} is given twice", "give it in one column")
        elif row.get("label") is not None:
            tell("a label and an answer stand in one row", "give each a row of its own")
        given[question] = answer
    for question, text in given.items():
        if len(text) > _MOST_CHARACTERS or not text.isprintable() or "<" in text:
            tell(f"{text[:_MOST_CHARACTERS]!r} cannot be an answer to {question}", "correct it")
    weight = _weight(row.get("weight"), tell) if given else 1.0
    return tuple(
        MarkedAnswer(
            start_s=span[0], end_s=span[1], question=name, answer=text, weight=weight, place=place
        )
        for name, text in given.items()
    )


def _weight(written: str | None, tell: Callable[[str, str], None]) -> float:
    if written is None:
        return 1.0
    try:
        weight = float(written)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        tell(f"{written!r} is no weight", "write a number from 0 on, such as 1")
        return 1.0
    return weight
