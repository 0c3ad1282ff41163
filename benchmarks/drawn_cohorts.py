"""Cohorts of participants whose true figures are known, drawn for coverage.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ah_ray.study.evaluation.figures.answer_intervals import f1_parts, shares_of

RATES_OF_AH = (0.1, 0.3, 0.5)
PAIRS = ((0.7, 0.7), (0.9, 0.9), (0.965, 0.965), (0.9, 0.7), (0.7, 0.965))
CLUSTERS = ("none", "icc .1", "icc .3", "logit .8", "logit 1.6")
SIZES = ("3 to 7", "skewed")
QUESTIONS = (
    (0.23, 0.4, 0.5, 0.6, 0.7, 0.93, 0.55),  # of A/H, about as in BAH
    (0.5,) * 7,
    (0.1, 0.3, 0.5),
    (0.1,) * 5,
)
ANSWERED = (1.0, 0.7)
"""The share of the questions that each participant answers."""

Random = np.random.Generator
Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Cell:
    rate: float
    pair: tuple[float, float]
    cluster: str
    size: str


def cells() -> Iterator[Cell]:
    for rate, pair, cluster, size in product(RATES_OF_AH, PAIRS, CLUSTERS, SIZES):
        yield Cell(rate, pair, cluster, size)


def sizes(kind: str, shape: tuple[int, ...], random: Random) -> Floats:
    if kind == "3 to 7":
        return random.integers(3, 8, shape)
    if kind == "clips":
        return random.integers(12, 41, shape)
    return np.clip(np.round(np.exp(random.normal(1.3, 0.8, shape))), 1, 40).astype(int)


def rates(mean: float, cluster: str, shape: tuple[int, ...], random: Random) -> Floats:
    """The rate of each participant, whose mean over participants is `mean`."""
    if cluster == "none":
        return np.full(shape, mean)
    kind, amount = cluster.split()
    if kind == "icc":
        strength = 1 / float(amount) - 1
        return random.beta(mean * strength, (1 - mean) * strength, shape)
    spread = float(amount)
    return 1 / (1 + np.exp(-(_centre(mean, spread) + spread * random.normal(size=shape))))


def _centre(mean: float, spread: float) -> float:
    """The centre of a logit-normal distribution with this mean."""
    at, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = weight / weight.sum()
    low, high = -20.0, 20.0
    for _ in range(60):
        centre = (low + high) / 2
        found = weight @ (1 / (1 + np.exp(-(centre + spread * at))))
        low, high = (centre, high) if found < mean else (low, centre)
    return centre


def draw(cell: Cell, n_cohorts: int, n_people: int, random: Random) -> Floats:
    """tp, fp, fn, tn [cohorts, people, 4]."""
    shape = (n_cohorts, n_people)
    n = sizes(cell.size, shape, random)
    n_ah = random.binomial(n, rates(cell.rate, cell.cluster, shape, random))
    tp = random.binomial(n_ah, rates(cell.pair[0], cell.cluster, shape, random))
    tn = random.binomial(n - n_ah, rates(cell.pair[1], cell.cluster, shape, random))
    return np.stack([tp, n - n_ah - tn, n_ah - tp, tn], -1).astype(float)


def second_of(cell: Cell, counts: Floats, random: Random) -> tuple[Floats, tuple[float, float]]:
    """Another model on the same videos, which answers 6 of 10 as the first; and its rates."""
    tp, fp, fn, tn = np.moveaxis(counts.astype(int), -1, 0)
    own = (0.85, 0.85)
    right = []
    for yes, no, rate in ((tp, fn, own[0]), (tn, fp, own[1])):
        same = random.binomial(yes, 0.6)
        free = yes + no - same - random.binomial(no, 0.6)
        right.append(same + random.binomial(free, rates(rate, cell.cluster, free.shape, random)))
    true = tuple(0.6 * a + 0.4 * b for a, b in zip(cell.pair, own, strict=True))
    also_tp, also_tn = right
    return np.stack([also_tp, tn + fp - also_tn, tp + fn - also_tp, also_tn], -1).astype(
        float
    ), true


def truth_of(rate: float, pair: tuple[float, float]) -> dict[str, float]:
    tp, tn = rate * pair[0], (1 - rate) * pair[1]
    counts = np.array([[tp, 1 - rate - tn, rate - tp, tn]])
    parts = shares_of(counts) | f1_parts(counts)
    found = {name: float(a.sum() / b.sum()) for name, (a, b) in parts.items()}
    found["macro_f1"] = (found["f1_ah"] + found["f1_not_ah"]) / 2
    found["balanced_accuracy"] = (found["recall_ah"] + found["specificity"]) / 2
    found["weighted_f1"] = rate * found["f1_ah"] + (1 - rate) * found["f1_not_ah"]
    return found


def draw_answers(
    questions: Sequence[float],
    pair: tuple[float, float],
    cluster: str,
    answered: float,
    shape: tuple[int, int],
    random: Random,
) -> Floats:
    """tp, fp, fn, tn [cohorts, questions, people, 4]; each question is answered once, or not.

    `questions` has the share of A/H of each; shape is (cohorts, people).
    """
    n_cohorts, n_people = shape
    whole = (n_cohorts, len(questions), n_people)
    n = random.binomial(1, answered, whole)
    recall, specificity = (rates(mean, cluster, shape, random)[:, None] for mean in pair)
    share = np.stack([rates(mean, cluster, shape, random) for mean in questions], axis=1)
    n_ah = random.binomial(n, share)
    tp = random.binomial(n_ah, np.broadcast_to(recall, whole))
    tn = random.binomial(n - n_ah, np.broadcast_to(specificity, whole))
    return np.stack([tp, n - n_ah - tn, n_ah - tp, tn], -1).astype(float)


def scored(cell, n_people: int, random: Random):
    """label, p_ah, the other model's p_ah, participant [n]."""
    rate, parted, own = cell
    participant = np.repeat(np.arange(n_people), sizes("3 to 7", (n_people,), random))
    lift, heard, other = (own * random.normal(size=n_people)[participant] for _ in range(3))
    centre = _centre(rate, own) if own else np.log(rate / (1 - rate))
    n = len(participant)
    label = random.random(n) < 1 / (1 + np.exp(-(centre + lift)))
    hard = random.normal(size=n)
    scores = []
    for at, effect in ((parted, heard), (parted + 0.3, 0.5 * heard + 0.5 * other)):
        logit = at * (2 * label - 1) + 0.7 * hard + 0.7 * random.normal(size=n) + 0.5 * effect
        scores.append(1 / (1 + np.exp(-logit)))
    return label, *scores, participant
