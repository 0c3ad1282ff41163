"""How often labels are drawn from scores, to show what perfect calibration would look like. Pure.

Intervals do not depend on it: they are closed formulas (intervals.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ah_ray.study.evaluation.figures.intervals import LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """A parametric bootstrap; the same seed gives the same draws on any machine."""

    draws: int = 2_000
    seed: int = 0
    level: float = LEVEL  # of all intervals
