"""How much does a model learn from answers about chosen clips, and from as many drawn at random?

    python benchmarks/choosing.py [--seeds 1 2 3 4 5] [--cohorts FOLDER]

Each seed draws a cohort of its own: people whose rooms are lit and whose microphones hiss
differently, whose faces and voices move a little or a lot, and whose share of A/H differs. The
tiny model, which knows none of these rooms, scores all clips and keeps its embeddings. Then 25, 50,
100 and 200 clips are answered without error, round by round: once those that `jobs/clips.py
--doubtful --diverse` chooses, once as many at random. What learns from them is cheap, so that five
seeds take minutes on a CPU: a logistic head on the embeddings, which starts from the model's own
answer, as a fine-tuning does. It is measured by its macro-F1 on other people.

--cohorts keeps the drawn and scored cohorts, so that a second run does not draw them again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from drawn_rooms import draw_clips

from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile
from ah_ray.study.evaluation.figures.measures import answer_measures, confusions
from ah_ray.study.evaluation.figures.student import student_quantile
from ah_ray.study.review.choosing.doubt import measure_doubt
from ah_ray.study.review.choosing.spread import Pool, choose, rank_by_worth

ROUNDS = (25, 50, 100, 200)
POOL_PEOPLE, POOL_CLIPS = 48, 20  # clips that may be answered: of so many people, of each so many
TEST_PEOPLE, TEST_CLIPS = 40, 10  # that figures are measured on
WAYS = ("at random", "doubtful", "doubtful, diverse")
PENALTIES = (3.0, 10.0, 30.0, 100.0)
FOLDS = 5
HEADS = 5  # whose disagreement is part of the doubt, as that of several models is
SCORED_AT_ONCE = 60
MOST_LOGIT = 4.0  # of the model's own answer, from which the head starts

Floats = np.ndarray


@dataclass(frozen=True)
class Cohort:
    """n clips, each field [n] or [n, …]: first those of the pool, then those of the test."""

    label: np.ndarray
    p_ah: Floats
    person: np.ndarray
    embedding: Floats  # [n, D]

    @property
    def in_pool(self) -> np.ndarray:
        return self.person < POOL_PEOPLE


def draw_cohort(seed: int, scorer: OmniScorer) -> Cohort:
    """Draw the clips of a seed, and score them."""
    n_clips = [POOL_CLIPS] * POOL_PEOPLE + [TEST_CLIPS] * TEST_PEOPLE
    labels, p_ah, person, embeddings = [], [], [], []
    drawn = draw_clips(n_clips, seed)
    while some := list(islice(drawn, SCORED_AT_ONCE)):
        for (number, label, _), score in zip(
            some, scorer.score([clip for *_, clip in some]), strict=True
        ):
            labels.append(label)
            p_ah.append(score.p_ah)
            person.append(number)
            embeddings.append(np.frombuffer(score.embedding, "<f2").astype(np.float64))
    return Cohort(
        np.array(labels, bool), np.array(p_ah, float), np.array(person), np.stack(embeddings)
    )


@dataclass(frozen=True)
class Head:
    """A logistic regression on features [n, D], beside the model's own logits [n]."""

    weights: Floats  # [D + 1], the last is the intercept

    def __call__(self, features: Floats, own: Floats) -> Floats:
        x = features @ self.weights[:-1] + self.weights[-1] + own
        return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def fit_head(features: Floats, own: Floats, label: np.ndarray, penalty: float) -> Head:
    """Return the head with the least penalised loss, by Newton's method with halved steps."""
    rows = np.column_stack([features, np.ones(len(features))])
    ridge = np.append(np.full(features.shape[1], penalty), 0.1)
    weights = np.zeros(rows.shape[1])

    def loss(at: Floats) -> float:
        x = rows @ at + own
        return float((np.logaddexp(0, x) - label * x).sum() + (ridge * at**2).sum() / 2)

    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(rows @ weights + own, -30, 30)))
        slope = rows.T @ (p - label) + ridge * weights
        curve = (rows * (p * (1 - p))[:, None]).T @ rows + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-4 and loss(weights - size * step) > loss(weights):
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-6:
            break
    return Head(weights)


def choose_penalty(features: Floats, own: Floats, label: np.ndarray, person: np.ndarray) -> float:
    """Return the penalty with the least loss in a cross-validation over people."""
    fold = np.unique(person, return_inverse=True)[1] % FOLDS
    losses = []
    for penalty in PENALTIES:
        lost = 0.0
        for number in range(FOLDS):
            here = fold == number
            if here.all() or not here.any():
                continue
            head = fit_head(features[~here], own[~here], label[~here], penalty)
            p = np.clip(head(features[here], own[here]), 1e-6, 1 - 1e-6)
            lost -= float(np.log(np.where(label[here], p, 1 - p)).sum())
        losses.append(lost)
    return PENALTIES[int(np.argmin(losses))]


def macro_f1(label: np.ndarray, yes: np.ndarray) -> float:
    return float(answer_measures(confusions(label, yes).sum(axis=0))["macro_f1"])


def prepare(cohort: Cohort) -> tuple[Floats, Floats]:
    """Return what a head sees of each clip: its scaled embedding [n, D], and the model's logit."""
    pool = cohort.in_pool
    centre, spread = cohort.embedding[pool].mean(0), cohort.embedding[pool].std(0) + 1e-9
    odds = np.clip(cohort.p_ah, 1e-9, 1 - 1e-9)
    own = np.clip(np.log(odds / (1 - odds)), -MOST_LOGIT, MOST_LOGIT)
    return (cohort.embedding - centre) / spread, own


def learn_all(cohort: Cohort) -> float:
    """Return the macro-F1 on the test after every clip of the pool was answered."""
    pool, test = cohort.in_pool, ~cohort.in_pool
    features, own = prepare(cohort)
    known = (features[pool], own[pool], cohort.label[pool])
    head = fit_head(*known, choose_penalty(*known, cohort.person[pool]))
    return macro_f1(cohort.label[test], head(features[test], own[test]) >= 0.5)


def learn(cohort: Cohort, way: str, seed: int) -> list[float]:
    """Return the macro-F1 on the test before any answer, and after each round."""
    random = np.random.default_rng(seed)
    pool, test = cohort.in_pool, ~cohort.in_pool
    features, own = prepare(cohort)
    places = np.flatnonzero(pool)
    answered: list[int] = []
    believed = cohort.p_ah[:, None]  # [n, models]
    found = [macro_f1(cohort.label[test], cohort.p_ah[test] >= 0.5)]
    for wanted in ROUNDS:
        left = np.setdiff1d(places, answered)
        answered += pick(cohort, way, left, answered, believed, wanted - len(answered), random)
        at = np.array(answered)
        known = (features[at], own[at], cohort.label[at])
        penalty = choose_penalty(*known, cohort.person[at])
        head = fit_head(*known, penalty)
        heads = [head]
        for _ in range(HEADS if way != WAYS[0] else 0):
            again = random.choice(len(at), len(at))
            heads.append(fit_head(*(each[again] for each in known), penalty))
        believed = np.column_stack([each(features, own) for each in heads])
        found.append(macro_f1(cohort.label[test], believed[test, 0] >= 0.5))
    return found


def pick(
    cohort: Cohort,
    way: str,
    left: np.ndarray,
    answered: Sequence[int],
    believed: Floats,
    n: int,
    random: np.random.Generator,
) -> list[int]:
    """Return the clips that are answered next, as jobs/clips.py would choose them."""
    if way == WAYS[0]:
        return random.choice(left, n, replace=False).tolist()
    vectors = cohort.embedding.astype(np.float32)
    candidates = Pool(
        worth=np.maximum(measure_doubt(believed[left]), 1e-9),
        video=np.arange(len(left)),
        start_s=np.zeros(len(left)),
        end_s=np.full(len(left), 5.0),
        person=cohort.person[left],
        vectors=vectors[left],
    )
    seed = int(random.integers(2**31))
    if way == WAYS[1]:
        return left[rank_by_worth(candidates, n, seed)].tolist()
    judged = vectors[list(answered)] if answered else None
    return left[choose(candidates, n, seed, judged=judged)].tolist()


def interval(differences: Floats) -> tuple[float, float, float]:
    """Return the mean of paired differences over seeds, and its 95% interval by Student."""
    n = len(differences)
    half = float(student_quantile(0.95, n - 1)) * differences.std(ddof=1) / np.sqrt(n)
    return float(differences.mean()), float(differences.mean() - half), float(
        differences.mean() + half
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    options.add_argument("--draws", type=int, default=4, help="random draws that a seed averages")
    options.add_argument("--cohorts", type=Path, help="folder that keeps the scored cohorts")
    given = options.parse_args()
    torch.set_num_threads(1)
    cohorts = [load_cohort(seed, given.cohorts) for seed in given.seeds]
    curves: dict[str, Floats] = {}
    for way in WAYS:
        of_seeds = []
        for seed, cohort in zip(given.seeds, cohorts, strict=True):
            n = given.draws if way == WAYS[0] else 1
            of_seeds.append(
                np.mean([learn(cohort, way, 1000 * seed + k) for k in range(n)], axis=0)
            )
        curves[way] = np.array(of_seeds)  # [seeds, rounds + 1]
    print_tables(given.seeds, cohorts, curves)


def load_cohort(seed: int, folder: Path | None) -> Cohort:
    file = None if folder is None else folder / f"cohort-{seed}.npz"
    if file is not None and file.exists():
        return Cohort(**np.load(file))
    checkpoint = find_checkpoint("tiny")
    assert isinstance(checkpoint, Path)
    scorer = OmniScorer.load(
        checkpoint,
        profile=load_profile("tiny"),
        arithmetic=Arithmetic.FLOAT32,
        device="cpu",
        keep_embeddings=True,
    )
    cohort = draw_cohort(seed, scorer)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **vars(cohort))
    return cohort


def print_tables(
    seeds: Sequence[int], cohorts: Sequence[Cohort], curves: dict[str, Floats]
) -> None:
    rate = np.mean([cohort.label.mean() for cohort in cohorts])
    pool, test = (int(np.mean([mask.sum() for mask in masks])) for masks in (
        [cohort.in_pool for cohort in cohorts], [~cohort.in_pool for cohort in cohorts],
    ))  # fmt: skip
    print(
        f"{len(seeds)} cohorts; {pool:,} clips of {POOL_PEOPLE} people to choose from, {test:,} of "
        f"{TEST_PEOPLE} others to measure on; {rate:.0%} of the clips show A/H\n"
    )
    print("| answers | " + " | ".join(WAYS) + " | chosen less random [95%] |")
    print("| ---: |" + " ---: |" * (len(WAYS) + 1))
    for place, n in enumerate((0, *ROUNDS)):
        cells = [f"{curves[way][:, place].mean():.3f}" for way in WAYS]
        mean, low, high = interval(curves[WAYS[2]][:, place] - curves[WAYS[0]][:, place])
        gain = "–" if n == 0 else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        print(f"| {n} | " + " | ".join(cells) + f" | {gain} |")
    whole = np.mean([learn_all(cohort) for cohort in cohorts])
    print(f"\nWith every clip of the pool answered: {whole:.3f}")
    last = curves[WAYS[2]][:, -1] - curves[WAYS[0]][:, -1]
    each = ", ".join(f"{seed}: {one:+.3f}" for seed, one in zip(seeds, last, strict=True))
    print(f"\nAt {ROUNDS[-1]} answers, by seed: {each}")


if __name__ == "__main__":
    main()
