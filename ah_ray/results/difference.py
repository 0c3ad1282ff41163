"""How far apart two ways to compute the same scores are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH_CLIPS = 500
"""Fewer say little about the 99th percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of P(A/H), absolute, over clips that both ways scored."""

    n_clips: int
    mean: float
    p99: float
    max: float
    answers_changed: float  # share whose answer at 0.5 is another

    def __str__(self) -> str:
        few = "" if self.n_clips >= ENOUGH_CLIPS else f", under {ENOUGH_CLIPS}: too few to rely on"
        return (
            f"P(A/H) differs by {self.mean:.4f} on average, {self.p99:.4f} at the 99th percentile, "
            f"{self.max:.4f} at most ({self.n_clips} clips{few}; {self.answers_changed:.1%} of "
            "answers changed)"
        )


def difference(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Difference | None:
    """Between two scorings of the same clips; None is a clip without a score.

    Null if no clip has both.
    """
    both = [
        pair
        for pair in zip(ours, theirs, strict=True)
        if pair[0] is not None and pair[1] is not None
    ]
    if not both:
        return None
    a, b = np.array(both).T
    apart = np.abs(a - b)
    return Difference(
        n_clips=len(both),
        mean=float(apart.mean()),
        p99=float(np.quantile(apart, 0.99)),
        max=float(apart.max()),
        answers_changed=float(((a >= 0.5) != (b >= 0.5)).mean()),
    )
