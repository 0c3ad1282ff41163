"""That the intervals of answers, scales and gains of contrasts cover: counted on drawn cohorts."""

import numpy as np
import pytest

from ah_ray.study.evaluation.answers.class_figures import (
    class_intervals,
    count_answers,
    paired_class_intervals,
)
from ah_ray.study.evaluation.answers.scale_figures import (
    error_interval,
    kappa_interval,
    rank_interval,
    weighted_kappa,
)
from ah_ray.study.evaluation.figures.estimate import FEWEST_PEOPLE
from ah_ray.study.evaluation.figures.length_bias import rank_correlation
from ah_ray.study.evaluation.figures.measures import auroc, average_precision
from ah_ray.study.evaluation.figures.score_intervals import score_difference

pytestmark = pytest.mark.heavy

COHORTS = 300
LOWEST = 0.95 - 3.5 * (0.95 * 0.05 / COHORTS) ** 0.5  # 0.906: a share this low is no chance
CELLS = [
    (n_people, cuts, knows, own)
    for n_people in (15, 40)
    for cuts in ((-0.5, 0.5), (-1.3, -0.5), (-1.6, -1.3, -0.8, 0.0))
    for knows in (0.3, 0.9)
    for own in (0.3, 0.6)
]


def draw(n_people, cuts, knows, own, random):
    """(label, answer, value, participant); what participants share correlates by `own`²."""

    def normal():
        return own * random.normal(size=n_people)[whose] + (1 - own**2) ** 0.5 * random.normal(
            size=len(whose)
        )

    whose = np.repeat(np.arange(n_people), random.integers(3, 8, n_people))
    latent = normal()
    heard = knows * latent + (1 - knows**2) ** 0.5 * normal()
    other = 0.6 * heard + 0.8 * normal()
    value = 1 + len(cuts) / (1 + np.exp(-1.5 * heard))
    answers = [np.searchsorted(cuts, each) for each in (latent, heard, other)]
    return (*answers, value, whose)


def intervals(label, answer, other, value, whose, k):
    counts, second = (count_answers(label, each, whose, k) for each in (answer, other))
    found = class_intervals(counts)
    paired = paired_class_intervals(counts, second)
    return {
        "accuracy": found.accuracy,
        "macro-F1": found.macro_f1,
        "Δ accuracy": paired["accuracy"],
        "Δ macro-F1": paired["macro_f1"],
        "error": error_interval(value, label + 1.0, whose, k - 1.0),
        "ranks": rank_interval(value, label + 1.0, whose),
        "kappa": kappa_interval(counts[..., :-1], np.arange(1.0, k + 1)),
    }


def truth(cell):
    """The figures of 60,000 people."""
    label, answer, other, value, whose = draw(60_000, *cell[1:], np.random.default_rng(0))
    k = len(cell[1]) + 1
    one = np.zeros(len(whose), np.int64)
    counts, second = (count_answers(label, each, one, k)[0, :, :-1] for each in (answer, other))
    right = [np.diagonal(each) for each in (counts, second)]
    f1 = [
        2 * hits / (each.sum(axis=0) + each.sum(axis=1))
        for hits, each in zip(right, (counts, second), strict=True)
    ]
    return {
        "accuracy": right[0].sum() / len(label),
        "macro-F1": f1[0].mean(),
        "Δ accuracy": (right[1].sum() - right[0].sum()) / len(label),
        "Δ macro-F1": f1[1].mean() - f1[0].mean(),
        "error": np.abs(value - label - 1).mean(),
        "ranks": rank_correlation(value, label),
        "kappa": float(weighted_kappa(counts, np.arange(1.0, k + 1))),
    }


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_answers_and_scales(cell):
    random, wanted, k = np.random.default_rng(1), truth(cell), len(cell[1]) + 1
    held = {name: [] for name in wanted}
    for _ in range(COHORTS):
        cohort = draw(*cell, random)
        if len(set(cohort[0].tolist())) < k:
            continue  # its macro-F1 is over fewer classes: of something else
        for name, one in intervals(*cohort, k).items():
            if one.n_people >= FEWEST_PEOPLE:
                held[name].append(bool(one.low - 1e-9 <= wanted[name] <= one.high + 1e-9))
    shares = {name: np.mean(each) for name, each in held.items() if len(each) > COHORTS / 2}
    assert {"accuracy", "error", "ranks", "kappa"} <= set(shares)
    assert min(shares.values()) >= LOWEST, shares


@pytest.mark.parametrize("unit", ["videos", "clips"])
@pytest.mark.parametrize("n_people", [20, 60])
def test_gains_of_contrasts(n_people, unit):
    """A contrast less p_ah: two scores with errors of their own, and shared by participants."""
    of = (3, 8) if unit == "videos" else (12, 41)

    def draw_scores(n_people, random):
        whose = np.repeat(np.arange(n_people), random.integers(*of, n_people))
        own = random.normal(size=(3, n_people))[:, whose]
        label = 0.6 * own[0] + random.normal(size=len(whose)) > 0.6
        scores = (label + 0.6 * own[1:] + random.normal(size=(2, len(whose)))) * [[1.0], [0.7]]
        return label, *scores, whose

    random = np.random.default_rng(2)
    label, first, second, _ = draw_scores(8_000, random)
    for measure in (average_precision, auroc):
        ones = np.ones((1, len(label)))
        wanted = measure(label, second, ones)[0] - measure(label, first, ones)[0]
        held = []
        for _ in range(COHORTS):
            found = score_difference(measure, *draw_scores(n_people, random))
            held.append(bool(found.low <= wanted <= found.high))
        assert np.mean(held) >= LOWEST, measure.__name__
