"""Balance of the two labels, in train alone. Pure."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ah_ray.study.prepare.settings import Balance, LeftOut

NOT_DRAWN = "negatives not drawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """A row of labelled_manifest.WINDOWS."""

    uri: str
    video_id: str
    window_index: int
    start_s: float
    end_s: float
    label: int | None  # None: only questions of a profile are labelled there
    question: str | None
    participant_id: str
    split: str
    weight: float = 1.0


def balanced(
    rows: Sequence[WindowRow], balance: Balance, seed: int, left_out: LeftOut
) -> list[WindowRow]:
    """Return the rows that are used, with their weights, in the same order.

    Each question is balanced by itself. Weights: both labels weigh the same in sum, a window 1 on
    average. Draw: as many negatives as there are positives, without replacement. Val and test stay
    as they are: they are what a cohort is like.
    """
    train: dict[str | None, list[WindowRow]] = defaultdict(list)
    for row in rows:
        if row.split == "train" and row.label is not None:
            train[row.question].append(row)
    if balance is Balance.WEIGHTS:
        weights = {question: _weights(group) for question, group in train.items()}
        return [
            replace(row, weight=weights[row.question][row.label])
            if row.split == "train" and row.label is not None
            else row
            for row in rows
        ]
    if balance is Balance.DRAW:
        dropped = {id(row) for group in train.values() for row in _not_drawn(group, seed)}
        left_out[NOT_DRAWN] += len(dropped)
        return [row for row in rows if id(row) not in dropped]
    return list(rows)


def _weights(group: Sequence[WindowRow]) -> dict[int, float]:
    counts = Counter(row.label for row in group if row.label is not None)
    return {label: len(group) / (len(counts) * n) for label, n in counts.items()}


def _not_drawn(group: Sequence[WindowRow], seed: int) -> list[WindowRow]:
    negatives = [row for row in group if not row.label]
    surplus = max(0, 2 * len(negatives) - len(group))
    return random.Random(seed).sample(negatives, surplus)
