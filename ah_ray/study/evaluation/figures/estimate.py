"""A figure as it is reported: its value, its interval, and the videos and people behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ah_ray.study.evaluation.figures.intervals import Interval

FEWEST_PEOPLE = 5
"""With fewer participants there is no interval."""

WIDEST = 0.4
"""An interval that is wider leaves open what a reader wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its interval.

    `value` is null where the figure is not defined (0/0), and `low` and `high` also where there are
    too few participants, or where no interval is known to cover.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    k: int | None = None  # so many …
    n: int | None = None  # … of so many videos; null where the figure is no share of videos
    n_participants: int | None = None  # whose videos these are
    too_few: bool = False  # below FEWEST_PEOPLE, or wider than WIDEST: too few to tell

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low is not None and self.low > 0


def estimate_of(found: Interval, *, k: float | None = None, n: float | None = None) -> Estimate:
    """Return the estimate of one cohort's interval; a share of videos also has its k of n."""
    value, low, high = (float(each) for each in (found.value, found.low, found.high))
    if np.isnan(value):
        return Estimate(value=None)
    n_people = int(found.n_people)
    has_interval = n_people >= FEWEST_PEOPLE and not (np.isnan(low) or np.isnan(high))
    return Estimate(
        value=value,
        low=low if has_interval else None,
        high=high if has_interval else None,
        k=None if k is None else round(k),
        n=None if n is None else round(n),
        n_participants=n_people,
        too_few=n_people < FEWEST_PEOPLE or (has_interval and high - low > WIDEST),
    )
