"""Does a drawn sample of a cohort say how good a model is on the cohort?

    python benchmarks/review_sample.py [--cohorts 500] [--videos 800] [--drawn 60]

Each cell is a kind of cohort: its share of A/H, and the model's sensitivity and specificity, which
differ between participants (logit-normal). From each of many invented cohorts a sample is drawn as
`jobs/clips.py --draw` draws it, judged without error, and measured as `jobs/evaluate.py` does. The
table compares with the figures of the whole cohort: the mean difference, how many of the 95%
intervals hold them, and how wide these are. The last line is what the surest moments would say.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np

from ah_ray.study.evaluation.figures.sampled import Sample, sample_estimate
from ah_ray.study.review.draw import Candidate, Strata, draw

MEASURES = ("accuracy", "recall_ah", "specificity", "macro_f1")
RATES = (0.1, 0.3, 0.5)
ABILITIES = ((0.7, 0.7), (0.9, 0.9), (0.6, 0.9))  # sensitivity, specificity
SPREAD = 0.8  # of both between participants, in logits
VIDEOS_PER_PERSON = (3, 7)


@dataclass(frozen=True)
class Cohort:
    """[n] each."""

    label: np.ndarray
    yes: np.ndarray
    p_ah: np.ndarray


@dataclass
class Found:
    """What samples said of one measure, over all cohorts of a cell."""

    errors: list[float]
    widths: list[float]
    covered: list[bool]


def invent(
    n: int, rate: float, ability: tuple[float, float], random: np.random.Generator
) -> Cohort:
    """Return a cohort of n videos, 3 to 7 of each participant, who differ in all three shares."""
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(int(random.integers(VIDEOS_PER_PERSON[0], VIDEOS_PER_PERSON[1] + 1)))
    person = np.repeat(np.arange(len(sizes)), sizes)[:n]

    def by_person(share: float) -> np.ndarray:
        shift = random.normal(0, SPREAD, len(sizes))
        return (1 / (1 + np.exp(-(np.log(share / (1 - share)) + shift))))[person]

    label = random.random(n) < by_person(rate)
    right = random.random(n) < np.where(label, by_person(ability[0]), by_person(ability[1]))
    yes = label == right
    p_ah = np.where(yes, 0.5 + random.random(n) / 2, random.random(n) / 2)
    return Cohort(label=label, yes=yes, p_ah=p_ah)


def cells_of(cohort: Cohort, which: np.ndarray) -> np.ndarray:
    label, yes = cohort.label[which], cohort.yes[which]
    return np.stack([label & yes, ~label & yes, label & ~yes, ~label & ~yes], -1).astype(float)


def whole(cohort: Cohort) -> Sample:
    """Return the cohort as a sample of all of it, whose figures are the true ones."""
    n = len(cohort.label)
    return Sample(
        cells=cells_of(cohort, np.arange(n)),
        stratum=np.zeros(n, np.int64),
        n_cohort=np.array([float(n)]),
    )


def draw_sample(cohort: Cohort, n: int, strata: Strata, seed: int) -> Sample:
    found = draw(
        (
            Candidate(key=f"{i:06d}", p_ah=p, answer="Yes" if yes else "No", what=i)
            for i, (p, yes) in enumerate(zip(cohort.p_ah, cohort.yes, strict=True))
        ),
        n,
        strata,
        seed,
    )
    return Sample(
        cells=cells_of(cohort, np.array([i for _, i in found.drawn])),
        stratum=np.array([stratum for stratum, _ in found.drawn]),
        n_cohort=np.array([float(stratum.n_cohort) for stratum in found.strata]),
    )


def simulate(
    *,
    n_cohorts: int,
    n_videos: int,
    n_drawn: int,
    rate: float,
    ability: tuple[float, float],
    strata: Strata = Strata.VERDICT,
    seed: int = 0,
) -> dict[str, Found]:
    """Return, by measure, how samples of many cohorts of one kind compare with the cohorts."""
    found: dict[str, Found] = defaultdict(lambda: Found([], [], []))
    random = np.random.default_rng([seed, int(100 * rate), int(100 * sum(ability))])
    for number in range(n_cohorts):
        cohort = invent(n_videos, rate, ability, random)
        sample, truth = draw_sample(cohort, n_drawn, strata, number), whole(cohort)
        for name in MEASURES:
            estimate, true = sample_estimate(name, sample), sample_estimate(name, truth).value
            if estimate.value is None or estimate.low is None or estimate.high is None:
                continue
            assert true is not None
            found[name].errors.append(estimate.value - true)
            found[name].widths.append(estimate.high - estimate.low)
            found[name].covered.append(estimate.low - 1e-9 <= true <= estimate.high + 1e-9)
    return found


def surest_accuracy(cohort: Cohort, n: int) -> float:
    """Return what the n / 2 surest Yes and No would say, if sureness goes with being right."""
    right = cohort.label == cohort.yes
    sureness = np.abs(cohort.p_ah - 0.5) + right  # a model that is surest where it is right
    best = np.argsort(-sureness)[:n]
    return float(right[best].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=500)
    parser.add_argument("--videos", type=int, default=800)
    parser.add_argument("--drawn", type=int, default=60)
    parser.add_argument("--strata", type=Strata, default=Strata.VERDICT, choices=list(Strata))
    given = parser.parse_args()
    print("| A/H | sensitivity | specificity | measure | bias | coverage | mean width |")
    print("| ---: | ---: | ---: | --- | ---: | ---: | ---: |")
    for rate, ability in product(RATES, ABILITIES):
        found = simulate(
            n_cohorts=given.cohorts, n_videos=given.videos, n_drawn=given.drawn,
            rate=rate, ability=ability, strata=given.strata,
        )  # fmt: skip
        for name in MEASURES:
            one = found[name]
            means = [np.mean(each) for each in (one.errors, one.covered, one.widths)]
            print(
                f"| {rate:g} | {ability[0]:g} | {ability[1]:g} | {name} "
                f"| {means[0]:+.3f} | {means[1]:.3f} | {means[2]:.3f} |"
            )
    cohort = invent(given.videos, 0.3, (0.7, 0.7), np.random.default_rng(0))
    true = float((cohort.label == cohort.yes).mean())
    print(f"\nThe {given.drawn} surest moments would say {surest_accuracy(cohort, given.drawn):.3f}"
          f" of a model whose accuracy is {true:.3f}.")  # fmt: skip


if __name__ == "__main__":
    main()
