"""Draw videos or clips at random, so that a review says how good an output is. Pure.

The moments that a model is surest about are no fair picture of it: answered without fault, they
give any model an accuracy of 1. Here every video of the cohort has a known chance to be drawn.
Videos are put into strata, and within each the same number is drawn, as far as it has that many; a
video then stands for as many of its stratum as its weight says. How high its score is within the
stratum has no part in it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Drawable = TypeVar("Drawable")
N_BANDS = 4


class Unit(StrEnum):
    """What is drawn."""

    VIDEO = "video"  # judged as a whole
    CLIP = "clip"  # one window of a video


class Strata(StrEnum):
    """How the cohort is divided before the draw."""

    VERDICT = "verdict"  # half of the draw from the Yes, half from the No
    SCORE = "score"  # a quarter of the draw from each quarter of the cohort by p_ah
    NONE = "none"  # at random from all


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Generic[Drawable]):
    """A video or clip that may be drawn."""

    key: str  # no two are equal; the draw depends on their order alone
    p_ah: float
    answer: str  # Yes or No
    what: Drawable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """A part of the cohort, and how many of it were drawn."""

    name: str
    n_cohort: int
    n_drawn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw(Generic[Drawable]):
    """What was drawn: (number of its stratum, video or clip), in the order of keys."""

    strata: tuple[Stratum, ...]
    drawn: tuple[tuple[int, Drawable], ...]


def draw(
    candidates: Iterable[Candidate[Drawable]], n: int, strata: Strata, seed: int
) -> Draw[Drawable]:
    """Return `n` candidates, or all if there are no more, each stratum at random and evenly.

    Where a stratum has too few, the others give more. The same candidates and seed give the same
    draw.
    """
    parts = _divide(sorted(candidates, key=lambda one: one.key), strata)
    sizes = _allocate([len(part) for _, part in parts], n)
    chance = random.Random(seed)
    drawn: list[tuple[str, int, Drawable]] = []
    for number, ((_, part), size) in enumerate(zip(parts, sizes, strict=True)):
        drawn += [(one.key, number, one.what) for one in chance.sample(part, size)]
    drawn.sort(key=lambda one: one[0])
    return Draw(
        strata=tuple(
            Stratum(name=name, n_cohort=len(part), n_drawn=size)
            for (name, part), size in zip(parts, sizes, strict=True)
        ),
        drawn=tuple((number, what) for _, number, what in drawn),
    )


def _divide(
    candidates: list[Candidate[Drawable]], strata: Strata
) -> list[tuple[str, list[Candidate[Drawable]]]]:
    """Return the name and the candidates of each stratum that has any."""
    if strata is Strata.NONE:
        parts = [("all", candidates)]
    elif strata is Strata.VERDICT:
        answers = sorted({one.answer for one in candidates}, reverse=True)
        parts = [(answer, [c for c in candidates if c.answer == answer]) for answer in answers]
    else:
        by_score = sorted(candidates, key=lambda one: (one.p_ah, one.key))
        ends = [len(by_score) * band // N_BANDS for band in range(N_BANDS + 1)]
        parts = [
            (f"score {band + 1} of {N_BANDS}", by_score[ends[band] : ends[band + 1]])
            for band in range(N_BANDS)
        ]
    return [(name, sorted(part, key=lambda one: one.key)) for name, part in parts if part]


def _allocate(available: Sequence[int], n: int) -> list[int]:
    """Return how many each stratum gives: evenly, the first one more, and none more than it has."""
    sizes = [0] * len(available)
    left = min(n, sum(available))
    while left:
        open_ones = [i for i, size in enumerate(sizes) if size < available[i]]
        for place, i in enumerate(open_ones):
            share = left // (len(open_ones) - place)
            share += 1 if left % (len(open_ones) - place) else 0
            given = min(share, available[i] - sizes[i])
            sizes[i] += given
            left -= given
    return sizes
