"""How much two ways of computing the same scores differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH_CLIPS = 500
"""With fewer clips, the 99th percentile is unreliable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The absolute difference of p_ah, over clips that both ways scored."""

    n_clips: int
    mean: float
    p99: float
    max: float
    answers_changed: float  # share of clips whose answer at 0.5 differs

    def __str__(self) -> str:
        few = "" if self.n_clips >= ENOUGH_CLIPS else f", under {ENOUGH_CLIPS}: too few to rely on"
        return (
            f"p_ah differs by {self.mean:.4f} on average, {self.p99:.4f} at the 99th percentile, "
            f"{self.max:.4f} at most ({self.n_clips} clips{few}; {self.answers_changed:.1%} of "
            "answers changed)"
        )


def measure_difference(
    ours: Sequence[float | None], theirs: Sequence[float | None]
) -> Difference | None:
    """Return the difference between two scorings of the same clips; None if no clip has both.

    A clip without a score is None.
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
