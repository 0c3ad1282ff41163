"""How differently two questions with the same answers were answered."""

from __future__ import annotations

import math
from collections.abc import Sequence


def measure_contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the Jensen–Shannon distance of two distributions over the same answers, 0 to 1.

    It is the root of their Jensen–Shannon divergence in bits (Endres and Schindelin 2003): 0 if
    both are equal, and 1 if no answer has a chance in both.
    """
    divergence = math.fsum(
        term for p, q in zip(first, second, strict=True) for term in (_term(p, q), _term(q, p))
    )
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def _term(p: float, q: float) -> float:
    """Return one answer's part of the divergence from the mean of both, halved."""
    return p / 2 * math.log2(2 * p / (p + q)) if p > 0 else 0.0
