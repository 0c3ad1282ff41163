"""Choose clips that are worth judging and unlike each other. Pure.

The first is the clip of the highest worth. Each further one is that for which

    worth · d² / (1 + m)²

is highest, where d is the distance to the nearest clip that was chosen or judged before, and m the
number of clips that were chosen of its participant (weighted farthest-first traversal; Gonzalez
1985). Distances are those of embeddings, after their mean was taken away and their length made 1:
(1 − cosine) / 2. Without embeddings d is 1. A clip that overlaps one which was chosen is passed
over. The seed decides between equals alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ah_ray.output.embeddings.whitening import to_unit

Floats = NDArray[np.float64]
_SAME_S = 0.001  # clips that share less than this do not overlap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """n clips to choose from; each field but the last has n entries."""

    worth: Floats  # above 0
    video: NDArray[np.int64]  # the same number, the same video
    start_s: Floats
    end_s: Floats
    person: NDArray[np.int64]  # the same number, the same participant
    vectors: NDArray[np.float32] | None = None  # [n, D]

    def __len__(self) -> int:
        return len(self.worth)


def choose(
    pool: Pool, n: int, seed: int, *, judged: NDArray[np.float32] | None = None
) -> list[int]:
    """Return the places of `n` clips in the order in which they were chosen, or of all that fit.

    `judged` [k, D] are the embeddings of clips that were judged before.
    """
    order = np.random.default_rng(seed).permutation(len(pool))  # equals in the order of chance
    nearest = np.ones(len(pool))
    unit = None
    if pool.vectors is not None and len(pool):
        centre = pool.vectors.mean(axis=0)
        unit = to_unit(pool.vectors - centre)
        if judged is not None and len(judged):
            nearest = _nearest(unit, to_unit(judged - centre))
    free = np.ones(len(pool), np.bool_)
    of_person = np.zeros(int(pool.person.max()) + 1 if len(pool) else 0)
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        gain = pool.worth * nearest**2 / (1 + of_person[pool.person]) ** 2
        gain = np.where(free, gain, -1.0)
        best = int(order[np.argmax(gain[order])])
        chosen.append(best)
        of_person[pool.person[best]] += 1
        free &= ~_overlaps(pool, best)
        free[best] = False
        if unit is not None:
            nearest = np.minimum(nearest, _distances(unit, unit[best]))
    return chosen


def rank_by_worth(pool: Pool, n: int, seed: int) -> list[int]:
    """Return the places of the `n` clips of the highest worth, without overlaps."""
    order = np.random.default_rng(seed).permutation(len(pool))
    order = order[np.argsort(-pool.worth[order], kind="stable")]
    free = np.ones(len(pool), np.bool_)
    chosen: list[int] = []
    for place in order.tolist():
        if len(chosen) == n:
            break
        if free[place]:
            chosen.append(place)
            free &= ~_overlaps(pool, place)
    return chosen


def overlap(one: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    """Return whether (start_s, end_s) has time in common with any of the others."""
    start_s, end_s = one
    return any(min(end_s, end) - max(start_s, start) > _SAME_S for start, end in others)


def _overlaps(pool: Pool, place: int) -> NDArray[np.bool_]:
    """Return which clips [n] have time in common with this one, itself included."""
    shared = np.minimum(pool.end_s, pool.end_s[place]) - np.maximum(
        pool.start_s, pool.start_s[place]
    )
    return np.asarray((pool.video == pool.video[place]) & (shared > _SAME_S))


def _distances(unit: NDArray[np.float32], one: NDArray[np.float32]) -> Floats:
    """Return (1 − cosine) / 2 of each vector [n, D] and one [D], from 0 to 1."""
    return np.asarray(np.clip((1 - unit @ one) / 2, 0, 1), np.float64)


def _nearest(unit: NDArray[np.float32], others: NDArray[np.float32]) -> Floats:
    """Return the distance of each vector [n, D] to the nearest of the others [k, D]."""
    nearest = np.ones(len(unit))
    for start in range(0, len(others), 256):  # so that no [n, k] is held
        cosines = (unit @ others[start : start + 256].T).max(axis=1)
        nearest = np.minimum(nearest, np.clip((1 - cosines) / 2, 0, 1))
    return nearest
