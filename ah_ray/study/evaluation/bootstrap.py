"""How sure a measure is, by drawing the cohort's participants anew, with replacement. Pure.

Videos of one participant are alike, so participants are drawn, each with all their videos: n of a
cohort's n, many times, and the measure is computed of each draw.
The interval is between two quantiles of what comes out: not α/2 and 1 − α/2, which are too narrow
for few participants, but Φ(∓t·√(n/(n−1))), with t the quantile of Student's distribution with n − 1
degrees of freedom ("expanded percentile", Hesterberg 2015, The American Statistician 69(4)).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

MIN_PARTICIPANTS = 10
"""Of fewer no interval is given, and of a slice no figure."""

_CELLS = 4_000_000  # numbers that are held at once, of all draws times all videos
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How to draw: the same seed gives the same draws, on any machine."""

    draws: int = 2_000
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A measure and its interval.

    `value` is null where the measure is not defined; `low` and `high` also where there are fewer
    than MIN_PARTICIPANTS.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@functools.lru_cache(maxsize=4)  # each is 22 MB for 1,400 participants
def times_drawn(n_participants: int, bootstrap: Bootstrap) -> np.ndarray:
    """[draws, n_participants] float64, read-only: how often each is in each draw."""
    even = np.full(n_participants, 1 / n_participants)
    drawn = np.random.default_rng(bootstrap.seed).multinomial(
        n_participants, even, size=bootstrap.draws
    )
    drawn = drawn.astype(float)
    drawn.flags.writeable = False
    return drawn


def of_counts(
    measures: Callable[[np.ndarray], dict[str, np.ndarray]],
    counts: np.ndarray,
    participant: np.ndarray,
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Estimates of measures that follow from sums over videos.

    counts [n, k] are a video's own; participant [n] whose it is, as any numbers; `measures` turns
    sums [..., k] into measures [...].
    """
    by_participant = _summed(counts, participant)
    whole = measures(by_participant.sum(axis=0))
    if len(by_participant) < MIN_PARTICIPANTS:
        return {name: _estimate(value) for name, value in whole.items()}
    drawn = measures(times_drawn(len(by_participant), bootstrap) @ by_participant)
    n = len(by_participant)
    return {name: _estimate(v, drawn[name], n, bootstrap) for name, v in whole.items()}


def of_weights(
    measure: Callable[[np.ndarray], np.ndarray], participant: np.ndarray, bootstrap: Bootstrap
) -> Estimate:
    """The estimate of a measure that needs the videos themselves.

    `measure` takes weights [draws, n], how often each video is there, and gives [draws].
    """
    whole = measure(np.ones((1, len(participant))))[0]
    _, number = np.unique(participant, return_inverse=True)
    n_participants = int(number.max(initial=-1)) + 1
    if n_participants < MIN_PARTICIPANTS:
        return _estimate(whole)
    drawn = times_drawn(n_participants, bootstrap)
    at_once = max(1, _CELLS // len(participant))
    values = [
        measure(drawn[first : first + at_once, number]) for first in range(0, len(drawn), at_once)
    ]
    return _estimate(whole, np.concatenate(values), n_participants, bootstrap)


def _summed(counts: np.ndarray, participant: np.ndarray) -> np.ndarray:
    """[participants, k]"""
    _, number = np.unique(participant, return_inverse=True)
    summed = np.zeros((int(number.max(initial=-1)) + 1, counts.shape[1]))
    np.add.at(summed, number, counts)
    return summed


def _estimate(
    value: float,
    drawn: np.ndarray | None = None,
    n_participants: int = 0,
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """Draws in which the measure is not defined (no A/H in them, say) are left out."""
    if np.isnan(value):
        return Estimate(value=None)
    drawn = None if drawn is None else drawn[~np.isnan(drawn)]
    if drawn is None or not len(drawn):
        return Estimate(value=float(value))
    tail = _NORMAL.cdf(_expanded(n_participants, bootstrap.level))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value=float(value), low=float(low), high=float(high))


def _expanded(n: int, level: float) -> float:
    """−t·√(n/(n−1)); t from the normal quantile z by Fisher and Cornish's expansion in 1/(n−1)."""
    z, v = _NORMAL.inv_cdf((1 - level) / 2), n - 1
    t = (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )
    return t * (n / v) ** 0.5
