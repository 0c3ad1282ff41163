"""How often do the 95% intervals of the evaluation hold the truth?

    python benchmarks/coverage.py [--people 10 15 20 30 75 200] [--part NAME …]

Draws cohorts whose true figures are known, computes the intervals with the evaluation's own code,
and counts how many hold the truth. Prints the worst cell of each measure, and how wide the
intervals are, beside the percentile bootstrap over participants on some of the same cohorts. Cells
are all combinations of

    share of A/H     0.1, 0.3, 0.5
    recall           0.7, 0.9, 0.965, and two pairs in which specificity differs
    participants     independent videos; a beta distribution of each rate with an intraclass
                     correlation of 0.1 or 0.3; a logit-normal one with a standard deviation of 0.8
                     or 1.6 (about 0.1 and 0.3, with another shape)
    videos           3 to 7 of each participant, or skewed: 1 to 40, log-normal

and for scores of the share of A/H, the effects of a participant on label and score, and how far
scores part the labels. A cohort counts where the evaluation would print an interval: the figure is
defined, and five people or more have videos that count. Cells where fewer than one cohort in five
does are left out.

The lowest of 150 measured shares is low by chance too. So the first pass, with `--cohorts` of each
cell, only finds the lowest cells of each measure; the table has their coverage on `--again` fresh
cohorts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ah_ray.study.evaluation.figures.answer_intervals import (
    RATES,
    answer_intervals,
    f1_parts,
    group_differences,
    paired_intervals,
    shares_of,
)
from ah_ray.study.evaluation.figures.calibration_intervals import in_the_large, mean_losses
from ah_ray.study.evaluation.figures.estimate import FEWEST_PEOPLE
from ah_ray.study.evaluation.figures.intervals import (
    CLIP_CORRELATION,
    Interval,
    divide,
    share_interval,
)
from ah_ray.study.evaluation.figures.measures import auroc, average_precision
from ah_ray.study.evaluation.figures.score_intervals import score_difference, score_interval

PEOPLE = (10, 15, 20, 30, 75, 200)
RATES_OF_AH = (0.1, 0.3, 0.5)
PAIRS = ((0.7, 0.7), (0.9, 0.9), (0.965, 0.965), (0.9, 0.7), (0.7, 0.965))
CLUSTERS = ("none", "icc .1", "icc .3", "logit .8", "logit 1.6")
SIZES = ("3 to 7", "skewed")
PARTS = ("answers", "paired", "groups", "timelines", "scores")
DRAWS = 400  # of the bootstrap, on these cohorts of every seventh cell
_BOOTSTRAPPED, _BOOTSTRAPPED_CELLS = 200, 7
LOWEST = 4  # cells of each measure that are counted again

Random = np.random.Generator
Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Cell:
    rate: float
    pair: tuple[float, float]
    cluster: str
    size: str


class Tally:
    """Coverage and width of each measure, cell by cell."""

    def __init__(self, only: dict[str, list] | None = None) -> None:
        self.only = only  # of each measure; None: all
        self.covered: dict[str, list[tuple[float, object, int]]] = defaultdict(list)
        self.widths: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, cell: object, low, high, truth, n_people, value) -> None:
        if self.only is not None and cell not in self.only.get(name, ()):
            return
        low, high, n_people = (np.atleast_1d(each) for each in (low, high, n_people))
        given = (n_people >= FEWEST_PEOPLE) & ~np.isnan(np.atleast_1d(value)) & ~np.isnan(low)
        if given.sum() < 0.2 * len(low):
            return  # hardly ever printed, and too few to count
        held = (low[given] <= truth + 1e-12) & (truth - 1e-12 <= high[given])
        self.covered[name].append((float(held.mean()), cell, int(given.sum())))
        self.widths[name].append(float((high - low)[given].mean()))

    def wants(self, cell: object) -> bool:
        return self.only is None or any(cell in cells for cells in self.only.values())

    def lowest(self, name: str, n: int = 1) -> list[tuple[float, object, int]]:
        return sorted(self.covered[name], key=lambda each: each[0])[:n]


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


def add_all(tally: Tally, found: dict[str, Interval], truth, cell, prefix: str = "") -> None:
    for name, interval in found.items():
        tally.add(
            prefix + name, cell, interval.low, interval.high, truth[name], interval.n_people,
            interval.value,
        )  # fmt: skip


def count_answers(tally: Tally, n_people: int, n_cohorts: int, random: Random) -> None:
    for place, cell in enumerate(cells()):
        if not tally.wants(cell):
            continue
        counts = draw(cell, n_cohorts, n_people, random)
        truth = truth_of(cell.rate, cell.pair)
        add_all(tally, answer_intervals(counts), truth, cell)
        if place % _BOOTSTRAPPED_CELLS == 0 and tally.only is None:
            bootstrapped(tally, counts[:_BOOTSTRAPPED], truth, cell, random)


def bootstrapped(tally: Tally, counts: Floats, truth, cell, random: Random) -> None:
    """The percentile bootstrap over participants, on some of the cohorts."""
    names = ("recall_ah", "macro_f1", "accuracy")
    limits: dict[str, list] = {name: [] for name in names}
    n_people = counts.shape[1]
    for cohort in counts:
        drawn = random.multinomial(n_people, np.full(n_people, 1 / n_people), DRAWS) @ cohort
        tp, fp, fn, tn = drawn.T
        f1 = divide(2 * tp, 2 * tp + fp + fn), divide(2 * tn, 2 * tn + fp + fn)
        values = {
            "recall_ah": divide(tp, tp + fn),
            "accuracy": divide(tp + tn, drawn.sum(axis=1)),
            "macro_f1": (f1[0] + f1[1]) / 2,
        }
        for name in names:
            known = values[name][~np.isnan(values[name])]
            limits[name].append(np.quantile(known, [0.025, 0.975]) if len(known) else [np.nan] * 2)
    people = {"recall_ah": (counts[..., 0] + counts[..., 2] > 0).sum(axis=1)}
    for name in names:
        low, high = np.array(limits[name]).T
        enough = people.get(name, np.full(len(counts), n_people))
        tally.add(f"bootstrap {name}", cell, low, high, truth[name], enough, low)


def count_paired(tally: Tally, n_people: int, n_cohorts: int, random: Random) -> None:
    for cell in cells():
        if not tally.wants(cell):
            continue
        first = draw(cell, n_cohorts, n_people, random)
        second, rates_of_second = second_of(cell, first, random)
        a, b = truth_of(cell.rate, cell.pair), truth_of(cell.rate, rates_of_second)
        truth = {name: b[name] - a[name] for name in ("accuracy", "macro_f1")}
        add_all(tally, paired_intervals(first, second), truth, cell, "Δ ")


def count_groups(tally: Tally, n_people: int, n_cohorts: int, random: Random) -> None:
    """Two in five people are a group with rates of its own; the videos of all differ in length."""
    n_group = round(0.4 * n_people)
    for place, cell in enumerate(cells()):
        if not tally.wants(cell):
            continue
        pair = PAIRS[(PAIRS.index(cell.pair) + place % 2) % len(PAIRS)]
        other = Cell(cell.rate, pair, cell.cluster, cell.size)
        zeros = np.zeros((n_cohorts, n_people, 4))
        group, rest = zeros.copy(), zeros
        group[:, :n_group] = draw(cell, n_cohorts, n_group, random)
        rest[:, n_group:] = draw(other, n_cohorts, n_people - n_group, random)
        a, b = truth_of(cell.rate, cell.pair), truth_of(cell.rate, pair)
        truth = {name: a[name] - b[name] for name in RATES}
        add_all(tally, group_differences(group, rest), truth, cell, "group − rest ")


def count_timelines(tally: Tally, n_people: int, n_cohorts: int, random: Random) -> None:
    """Shares of clips. Each participant has 12 to 40 clips."""
    for rate, cluster in product((0.3, 0.5, 0.7, 0.9, 0.95), CLUSTERS[1:]):
        if not tally.wants((rate, cluster)):
            continue
        shape = (n_cohorts, n_people)
        b = sizes("clips", shape, random)
        a = random.binomial(b, rates(rate, cluster, shape, random))
        found = {"share of clips": share_interval(a, b, correlation=CLIP_CORRELATION)}
        add_all(tally, found, {"share of clips": rate}, (rate, cluster))


def count_scores(tally: Tally, n_people: int, n_cohorts: int, random: Random) -> None:
    """Average precision, AUROC, Brier score, log loss, calibration in the large."""
    for rate, parted, own in product(RATES_OF_AH, (0.8, 2.6), (0.7, 1.4)):
        cell = (rate, parted, own)
        if not tally.wants(cell):
            continue
        whole = scored(cell, 200_000, random)
        truth = score_figures(*whole)
        names = [name for name in truth if tally.only is None or cell in tally.only[name]]
        found = defaultdict(list)
        for _ in range(n_cohorts):
            drawn = scored(cell, n_people, random)
            for name, interval in score_intervals(names, *drawn).items():
                found[name].append((interval.low, interval.high, interval.n_people, interval.value))
        for name, rows in found.items():
            low, high, people, value = np.array(rows, float).T
            tally.add(name, cell, low, high, truth[name], people, value)


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


def score_figures(label, first, second, participant) -> dict[str, float]:
    one = np.ones((1, len(label)))
    ap = [average_precision(label, p, one)[0] for p in (first, second)]
    loss = -np.log(np.where(label, first, 1 - first))
    return {
        "average_precision": ap[0],
        "auroc": auroc(label, first, one)[0],
        "Δ average_precision": ap[1] - ap[0],
        "brier": ((first - label) ** 2).mean(),
        "log_loss": loss.mean(),
        "in_the_large": (first - label).mean(),
    }


def score_intervals(names, label, first, second, participant) -> dict[str, Interval]:
    """The intervals of these measures."""

    def losses():
        return mean_losses(label, first, participant)

    make = {
        "average_precision": lambda: score_interval(average_precision, label, first, participant),
        "auroc": lambda: score_interval(auroc, label, first, participant),
        "Δ average_precision": lambda: score_difference(
            average_precision, label, first, second, participant
        ),
        "brier": lambda: losses()["brier"],
        "log_loss": lambda: losses()["log_loss"],
        "in_the_large": lambda: in_the_large(label, first, participant),
    }
    return {name: make[name]() for name in names}


COUNT = {
    "answers": count_answers,
    "paired": count_paired,
    "groups": count_groups,
    "timelines": count_timelines,
    "scores": count_scores,
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cohorts", type=int, default=600)
    options.add_argument("--again", type=int, default=4_000)
    options.add_argument("--people", type=int, nargs="+", default=PEOPLE)
    options.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    tallies: dict[int, list[tuple[Tally, Tally]]] = defaultdict(list)
    for n_people in given.people:
        for part in given.part:
            start, fewer = time.monotonic(), 4 if part == "scores" else 1
            first = Tally()
            random = np.random.default_rng(given.seed)
            COUNT[part](first, n_people, given.cohorts // fewer, random)
            found = [name for name in first.covered if not name.startswith("bootstrap")]
            again = Tally({name: [c for _, c, _ in first.lowest(name, LOWEST)] for name in found})
            random = np.random.default_rng(given.seed + 1)
            COUNT[part](again, n_people, given.again // fewer, random)
            tallies[n_people].append((first, again))
            print(f"{n_people} people, {part}: {time.monotonic() - start:.0f} s", file=sys.stderr)
            for name in found:
                for coverage, cell, n in again.lowest(name):
                    print(f"  {name}: {coverage:.3f} of {n} in {cell}", file=sys.stderr)
    print_tables(tallies)


def print_tables(tallies: dict[int, list[tuple[Tally, Tally]]]) -> None:
    each = [first for pairs in tallies.values() for first, _ in pairs]
    names = list(dict.fromkeys(name for first in each for name in first.covered))
    heads = " | ".join(str(n) for n in tallies)
    print(f"Worst coverage, nominal 0.95\n\n| at n people | {heads} |")
    print("| --- |" + " ---: |" * len(tallies))
    for name in names:
        print(f"| {name} | " + " | ".join(_worst(pairs, name) for pairs in tallies.values()) + " |")
    print(f"\nMean width\n\n| at n people | {heads} |\n| --- |" + " ---: |" * len(tallies))
    for name in names:
        row = [[w for first, _ in pairs for w in first.widths[name]] for pairs in tallies.values()]
        print(f"| {name} | " + " | ".join(f"{np.mean(w):.3f}" if w else "–" for w in row) + " |")


def _worst(pairs: list[tuple[Tally, Tally]], name: str) -> str:
    is_bootstrap = name.startswith("bootstrap")
    found = [
        low for first, again in pairs for low in (first if is_bootstrap else again).lowest(name)
    ]
    return f"{found[0][0]:.3f}" if found else "–"


if __name__ == "__main__":
    main()
