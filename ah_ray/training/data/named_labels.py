"""Bring the labels of a profile's questions to the windows that are cut from where they hold.

A label holds for an interval of a video, or for all of it, and a window learns the labels of every
interval that it lies within.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ah_ray.errors import ConfigError
from ah_ray.profile import Profile
from ah_ray.training.data.dataloader import LabelledWindow
from ah_ray.training.data.questions import NamedAnswer, answer_of_label
from ah_ray.training.settings import Method, TrainSettings

_SLACK_S = 1e-3  # a window's times are rounded

Row = dict[str, Any]


def select_answers(answers: pa.Table, profile: Profile, settings: TrainSettings) -> list[Row]:
    """Return the rows of ANSWERS that are learned: those of --ask, or all.

    Raise ConfigError if the profile does not ask one of these questions, or does not know an
    answer, or if the method learns the first question only.
    """
    where = f"--labels {settings.labels}"
    asked = {question.name: question for question in profile.complete_questions}
    first = profile.complete_questions[0].name
    if unknown := [name for name in settings.ask if name not in asked]:
        raise ConfigError(
            f"--ask {unknown[0]}: profile {profile.name} has no such question: {', '.join(asked)}"
        )
    rows: list[Row] = answers.to_pylist()
    if settings.ask:
        rows = [row for row in rows if row["question"] in (first, *settings.ask)]
    labelled = list(dict.fromkeys(row["question"] for row in rows))
    if unasked := [name for name in labelled if name not in asked]:
        raise ConfigError(
            f"{where}: there are labels of the question {', '.join(unasked)}, which profile "
            f"{profile.name} does not ask (it asks {', '.join(asked)}); name a --profile that asks "
            f"it, or those to learn, as --ask {first}"
        )
    for row in rows:
        question = asked[row["question"]]
        if row["answer"] not in question.answers:
            raise ConfigError(
                f"{where}: video {row['video_id']} has the answer {row['answer']!r} to the "
                f"question {question.name}, which profile {profile.name} does not know "
                f"({', '.join(question.answers)}); correct the labels, or the profile's answers"
            )
    if settings.method is Method.GRPO and (further := [n for n in labelled if n != first]):
        raise ConfigError(
            f"--method grpo learns the first question only, and there are labels of "
            f"{', '.join(further)}: give --ask {first} to leave them out, or --method lora"
        )
    return rows


def add_answers(
    windows: Sequence[tuple[str, LabelledWindow]], answers: Iterable[Row], profile: Profile
) -> list[LabelledWindow]:
    """Return the windows, each given with its video_id, with all answers that hold for them.

    A window with a simpler question gets none. Raise ConfigError if labels contradict one another.
    """
    by_video: dict[str, list[Row]] = defaultdict(list)
    for row in answers:
        by_video[row["video_id"]].append(row)
    order = {question.name: place for place, question in enumerate(profile.complete_questions)}
    found = []
    for video_id, window in windows:
        if window.question is not None:
            found.append(window)
            continue
        holding = [row for row in by_video[video_id] if _holds(row, window)]
        named: dict[str, NamedAnswer] = {}
        for row in sorted(holding, key=lambda row: order[row["question"]]):
            one = NamedAnswer(**{name: row[name] for name in ("question", "answer", "weight")})
            if named.setdefault(one.question, one).answer != one.answer:
                raise _contradiction(video_id, window, one, named[one.question].answer)
        found.append(
            _label_first(video_id, replace(window, answers=tuple(named.values())), profile)
        )
    return found


def _holds(row: Row, window: LabelledWindow) -> bool:
    start_s = row["start_s"] or 0.0
    return window.start_s >= start_s - _SLACK_S and (
        row["end_s"] is None or window.end_s <= row["end_s"] + _SLACK_S
    )


def _label_first(video_id: str, window: LabelledWindow, profile: Profile) -> LabelledWindow:
    """Return a window whose first question was answered by name with the label of this answer."""
    first = profile.complete_questions[0]
    for one in window.answers:
        if one.question == first.name:
            label = one.answer == first.positive
            if window.label not in (None, label):
                raise _contradiction(video_id, window, one, f"the label {int(not label)}")
            return replace(window, label=label)
    return window


def _contradiction(
    video_id: str, window: LabelledWindow, one: NamedAnswer, other: str
) -> ConfigError:
    return ConfigError(
        f"video {video_id}, {window.start_s:g} – {window.end_s:g} s: the question {one.question} "
        f"is answered both {one.answer} and {other}; correct the labels and prepare them again"
    )


def count_answers(windows: Iterable[LabelledWindow], profile: Profile) -> dict[str, dict[str, int]]:
    """Return how many windows have each answer, of the questions that have any, in order.

    The first question's labels count, and those of simpler questions do not.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    first = profile.complete_questions[0]
    for window in windows:
        named = {one.question: one.answer for one in window.answers}
        if window.label is not None and window.question is None and first.name not in named:
            counts[first.name][answer_of_label(first, window.label)] += 1
        for name, answer in named.items():
            counts[name][answer] += 1
    return {
        question.name: {a: counts[question.name][a] for a in question.answers}
        for question in profile.complete_questions
        if question.name in counts
    }
