"""From the labels of several annotators to those of the recording: the majority's. Pure.

A recording is a Yes or a No if more than half of those who labelled it say so. A stretch is if more
than half of them marked it; who gave the whole recording a No has marked all of it as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ah_ray.study.agreement import majority
from ah_ray.study.label_errors import Place
from ah_ray.study.labelled_video import Annotated, Marked, MarkedAnswer, MarkedInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one annotator says of a recording about one question."""

    annotator: str | None  # None: what all agreed on
    whole: int | None  # the label of the whole recording, if it is known
    marked: tuple[Marked, ...]  # with times, of this question
    place: Place

    @property
    def label(self) -> int | None:
        """Return the label of the whole: as given, or Yes because some stretch is one."""
        if self.whole is not None:
            return self.whole
        return 1 if any(one.label for one in self.marked) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """The labels of a recording about one question."""

    label: int | None
    marked: tuple[Marked, ...]
    is_tie: bool = False


def agree(judged: Sequence[Judged]) -> Agreed:
    """Return what all agreed on where that is written; else what the majority says."""
    chosen = [one for one in judged if one.annotator is None] or list(judged)
    labels = [bool(one.label) for one in chosen if one.label is not None]
    decided = majority(labels)
    if labels and decided is None:
        return Agreed(label=None, marked=(), is_tie=True)
    label = None if decided is None else int(decided)
    if label == 0:
        whole = Marked(
            start_s=0.0, end_s=None, label=0, question=_question(chosen), place=chosen[0].place
        )
        return Agreed(label=0, marked=(whole,))
    return Agreed(label=label, marked=tuple(_majority_spans(chosen)))


def agree_answers(
    by_annotator: Sequence[tuple[str | None, Sequence[MarkedAnswer]]],
) -> tuple[MarkedAnswer, ...]:
    """Return the answers to one question that more than half of those who answered it give.

    `by_annotator` holds each annotator's answers, or, for None, what all agreed on, which wins.
    """
    agreed = [answers for who, answers in by_annotator if who is None]
    given = agreed or [answers for _, answers in by_annotator]
    if len(given) == 1:
        return tuple(sorted(given[0], key=lambda one: (one.start_s, one.answer)))
    found = _most(len(given), [next((a for a in one if a.is_whole), None) for one in given])
    parts = [[one for one in answers if not one.is_whole] for answers in given]
    edges = sorted({t for part in parts for one in part for t in (one.start_s, one.end_s or 0.0)})
    for start_s, end_s in pairwise(edges):
        covering = [next((a for a in part if _covers(a, start_s, end_s)), None) for part in parts]
        for one in _most(len(given), covering):
            before = found[-1] if found else None
            joins = before is not None and not before.is_whole and before.end_s == start_s
            if before is not None and joins and before.answer == one.answer:
                found[-1] = replace(before, end_s=end_s)
            else:
                found.append(replace(one, start_s=start_s, end_s=end_s))
    return tuple(found)


def _most(n_people: int, answers: Iterable[MarkedAnswer | None]) -> list[MarkedAnswer]:
    """Return the answer that more than half of the people give, if there is one."""
    given = [one for one in answers if one is not None]
    counts = Counter(one.answer for one in given)
    return [
        next(one for one in given if one.answer == answer)
        for answer, n in counts.items()
        if 2 * n > n_people
    ]


def annotated(judged: Sequence[Judged]) -> tuple[Annotated, ...]:
    """Return what each annotator who is named says, as far as it is a label of the whole."""
    return tuple(
        Annotated(
            annotator=one.annotator,
            label=one.label,
            intervals=tuple(
                MarkedInterval(start_s=each.start_s, end_s=each.end_s, place=each.place)
                for each in sorted(one.marked, key=lambda each: (each.start_s, each.end_s or 0.0))
                if each.label and each.end_s is not None
            ),
        )
        for one in judged
        if one.annotator is not None and one.label is not None
    )


def _question(judged: Sequence[Judged]) -> str | None:
    return next((one.question for each in judged for one in each.marked), None)


def _majority_spans(judged: Sequence[Judged]) -> list[Marked]:
    """Return the stretches that more than half marked alike, in the order of time.

    Of several annotators, stretches that touch are one: marks end in different places.
    """
    if len(judged) == 1:
        return _joined(list(judged[0].marked))
    marked = [one for each in judged for one in each.marked]
    n_no = sum(each.whole == 0 for each in judged)
    found: list[Marked] = []
    for label in (0, 1):
        these = [one for one in marked if one.label == label]
        edges = sorted({t for one in these for t in (one.start_s, one.end_s) if t is not None})
        for start_s, end_s in pairwise(edges):
            votes = [
                [one for one in each.marked if one.label == label and _covers(one, start_s, end_s)]
                for each in judged
            ]
            n_votes = sum(map(bool, votes)) + (n_no if label == 0 else 0)
            if 2 * n_votes > len(judged):
                first = next(one for vote in votes for one in vote)
                found.append(
                    Marked(
                        start_s=start_s,
                        end_s=end_s,
                        label=label,
                        question=first.question,
                        place=first.place,
                    )
                )
    return _joined(found, touching=True)


def _covers(one: Marked | MarkedAnswer, start_s: float, end_s: float) -> bool:
    return one.end_s is not None and one.start_s <= start_s and end_s <= one.end_s


def _joined(marked: list[Marked], *, touching: bool = False) -> list[Marked]:
    """Return the stretches with those of one label that overlap joined, in the order of time."""
    found: list[Marked] = []
    for one in sorted(marked, key=lambda each: (each.label, each.start_s, each.end_s or 0.0)):
        before = found[-1] if found else None
        if before is None or before.label != one.label or _is_apart(before, one, touching):
            found.append(one)
        elif (one.end_s or 0.0) > (before.end_s or 0.0):
            found[-1] = Marked(
                start_s=before.start_s,
                end_s=one.end_s,
                label=one.label,
                question=one.question,
                place=before.place,
            )
    return sorted(found, key=lambda each: (each.start_s, each.label))


def _is_apart(before: Marked, one: Marked, touching: bool) -> bool:
    end_s = before.end_s or 0.0
    return one.start_s > end_s if touching else one.start_s >= end_s
