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

for means over questions also of the questions (seven about as different as in BAH, seven alike,
three, or five in which A/H is rare) and of whether all are answered or 7 in 10; and for scores of
the share of A/H, the effects of a participant on label and score, and how far scores part the
labels. A cohort counts where the evaluation would print an interval: the figure is defined, and
five people or more have videos that count. Cells where fewer than one cohort in five does are left
out.

The lowest of 150 measured shares is low by chance too. So the first pass, with `--cohorts` of each
cell, only finds the lowest cells of each measure; the table has their coverage on `--again` fresh
cohorts. Scores take longer: a quarter as many cohorts find the lowest cell of each measure, and
then `--again` fresh ones of that cell count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from itertools import product

import numpy as np
from drawn_cohorts import (
    ANSWERED,
    CLUSTERS,
    PAIRS,
    QUESTIONS,
    RATES_OF_AH,
    Cell,
    Floats,
    Random,
    cells,
    draw,
    draw_answers,
    rates,
    scored,
    second_of,
    sizes,
    truth_of,
)

from ah_ray.study.evaluation.figures.answer_intervals import (
    RATES,
    answer_intervals,
    group_differences,
    macro_f1_over_questions,
    paired_intervals,
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
PARTS = ("answers", "paired", "groups", "questions", "timelines", "scores")
AT_ONCE = 250  # cohorts with several questions, which bounds memory
DRAWS = 400  # of the bootstrap, on these cohorts of every seventh cell
_BOOTSTRAPPED, _BOOTSTRAPPED_CELLS = 200, 7
LOWEST = 4  # cells of each measure that are counted again


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
        truth = np.broadcast_to(truth, low.shape)[given]
        held = (low[given] <= truth + 1e-12) & (truth - 1e-12 <= high[given])
        self.covered[name].append((float(held.mean()), cell, int(given.sum())))
        self.widths[name].append(float((high - low)[given].mean()))

    def wants(self, cell: object) -> bool:
        return self.only is None or any(cell in cells for cells in self.only.values())

    def lowest(self, name: str, n: int = 1) -> list[tuple[float, object, int]]:
        return sorted(self.covered[name], key=lambda each: each[0])[:n]


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


def count_questions(tally: Tally, n_people: int, n_cohorts: int, random: Random) -> None:
    """The truth is the mean over the questions that have both labels in the cohort."""
    for cell in product(QUESTIONS, PAIRS, CLUSTERS, ANSWERED):
        if not tally.wants(cell):
            continue
        of_question = np.array([truth_of(rate, cell[1])["macro_f1"] for rate in cell[0]])
        found = []
        for start in range(0, n_cohorts, AT_ONCE):
            counts = draw_answers(*cell, (min(AT_ONCE, n_cohorts - start), n_people), random)
            tp, fp, fn, tn = np.moveaxis(counts.sum(axis=-2), -1, 0)
            counted = (tp + fn > 0) & (tn + fp > 0)
            truth = divide((counted * of_question).sum(axis=-1), counted.sum(axis=-1))
            one = macro_f1_over_questions(counts)
            found.append((one.low, one.high, truth, one.n_people, one.value))
        tally.add("macro_f1 over questions", cell, *map(np.concatenate, zip(*found, strict=True)))


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
        names = [name for name in truth if tally.only is None or cell in tally.only.get(name, ())]
        found = defaultdict(list)
        for _ in range(n_cohorts):
            drawn = scored(cell, n_people, random)
            for name, interval in score_intervals(names, *drawn).items():
                found[name].append((interval.low, interval.high, interval.n_people, interval.value))
        for name, rows in found.items():
            low, high, people, value = np.array(rows, float).T
            tally.add(name, cell, low, high, truth[name], people, value)


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
    "questions": count_questions,
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
            if part == "scores":
                lowest = {name: [cell for _, cell, _ in again.lowest(name)] for name in found}
                again = Tally(lowest)
                COUNT[part](again, n_people, given.again, np.random.default_rng(given.seed + 2))
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
