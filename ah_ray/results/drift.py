"""Control charts over nights: does the last night differ from the nights before it? Pure.

Each night is compared with the nights before it, at most `MOST_NIGHTS` of them, in one
configuration. Limits are those of Laney's p′ chart (Laney, Quality Engineering 14, 2002), which
widens the usual three standard errors by the variation between nights: people send videos in
groups, so nights differ by more than a coin would. Limits of a share are quantiles of the binomial
distribution, since three standard errors are wrong for few videos and rare events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ah_ray.output.runs import RunSummary
from ah_ray.verdicts.night_figures import Moments, NightFigures

FEWEST_NIGHTS = 8
"""With fewer nights before it, a night has no limits."""

MOST_NIGHTS = 60
OUTSIDE = 0.00135
"""Chance to lie beyond each limit by accident: that of three standard errors."""

_NORMAL_FROM = 400.0  # variance from which the binomial distribution is as good as normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One run that wrote rows."""

    run_id: str
    ended_at: datetime
    figures: NightFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The value of one night. `low` and `high` are its limits; None where there are none."""

    value: float | None
    n: int  # videos (or clips) that it rests on
    low: float | None = None
    high: float | None = None

    @property
    def is_outside(self) -> bool:
        """Return whether the value lies beyond its limits."""
        if self.value is None or self.low is None or self.high is None:
            return False
        return not self.low - 1e-9 <= self.value <= self.high + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One quantity over all nights, oldest first."""

    name: str
    unit: str  # what `n` counts
    is_share: bool
    points: tuple[Point, ...]

    @property
    def last(self) -> Point:
        """Return the value of the last night."""
        return self.points[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """All charts of an output."""

    nights: tuple[Night, ...]
    charts: tuple[Chart, ...]

    @property
    def warnings(self) -> list[str]:
        """Return one sentence for each quantity whose last night lies beyond its limits."""
        return [describe_point(chart) for chart in self.charts if chart.last.is_outside]

    @property
    def has_limits(self) -> bool:
        """Return whether there are enough nights to judge the last one."""
        return any(chart.last.low is not None for chart in self.charts)


def comparable_nights(summaries: Sequence[RunSummary]) -> list[Night]:
    """Return the nights of `summaries` (newest first) that compare with the newest, oldest first.

    Those of another configuration, reducer, threshold or calibration do not, nor do runs that wrote
    no row or ran before figures were recorded.
    """
    scored = [run for run in summaries if run.figures is not None and run.figures.n_rows]
    return [
        Night(run_id=run.run_id, ended_at=run.ended_at, figures=run.figures)
        for run in reversed(scored)
        if run.figures is not None and _conditions(run) == _conditions(scored[0])
    ]


def _conditions(run: RunSummary) -> tuple[object, ...]:
    names = ("reducer", "threshold", "calibration_fingerprint")
    return (run.config_fingerprint, *(run.settings.get(name) for name in names))


def describe_point(chart: Chart) -> str:
    """Return `share of Yes is 62% of 40 videos, above its limits 21% to 47%`."""
    point = chart.last
    assert point.value is not None and point.low is not None and point.high is not None
    side = "above" if point.value > point.high else "below"
    form = ".0%" if chart.is_share else ".3f"
    return (
        f"{chart.name} is {point.value:{form}} of {point.n:,} {chart.unit}, {side} its limits "
        f"{point.low:{form}} to {point.high:{form}}"
    )


def make_drift(nights: Sequence[Night]) -> Drift | None:
    """Return the charts of nights that are oldest first; None if no night wrote a row."""
    nights = [night for night in nights if night.figures.n_rows]
    if not nights:
        return None
    figures = [night.figures for night in nights]
    kinds = sorted({kind for each in figures for kind in each.failed_by_kind})
    charts = [
        _share_chart("share of Yes", [(f.n_yes, f.n_scored) for f in figures]),
        _mean_chart("mean score", "videos", [f.p_ah for f in figures]),
        _mean_chart("answer mass", "clips", [f.answer_mass for f in figures]),
        _share_chart("share not scored", [(f.n_failed, f.n_rows) for f in figures]),
        *(
            _share_chart(
                f"share not scored: {kind}",
                [(f.failed_by_kind.get(kind, 0), f.n_rows) for f in figures],
            )
            for kind in kinds
        ),
        _share_chart("share with a still picture", [(f.n_still, f.n_scored) for f in figures]),
        _share_chart("share silent", [(f.n_silent, f.n_scored) for f in figures]),
    ]
    return Drift(nights=tuple(nights), charts=tuple(charts))


def _share_chart(name: str, counts: Sequence[tuple[int, int]]) -> Chart:
    points = []
    for place, (k, n) in enumerate(counts):
        earlier = [(k_, n_) for k_, n_ in counts[max(0, place - MOST_NIGHTS) : place] if n_]
        low, high = _share_limits(earlier, n)
        points.append(Point(value=k / n if n else None, n=n, low=low, high=high))
    return Chart(name=name, unit="videos", is_share=True, points=tuple(points))


def _mean_chart(name: str, unit: str, moments: Sequence[Moments]) -> Chart:
    points = []
    for place, night in enumerate(moments):
        earlier = [each for each in moments[max(0, place - MOST_NIGHTS) : place] if each.n]
        low, high = _mean_limits(earlier, night.n)
        points.append(Point(value=night.mean, n=night.n, low=low, high=high))
    return Chart(name=name, unit=unit, is_share=False, points=tuple(points))


def _share_limits(
    earlier: Sequence[tuple[int, int]], n: int
) -> tuple[float, float] | tuple[None, None]:
    if len(earlier) < FEWEST_NIGHTS or not n:
        return None, None
    share = (sum(k for k, _ in earlier) + 0.5) / (sum(n_ for _, n_ in earlier) + 1)
    spread = math.sqrt(share * (1 - share))
    sigma = _spread_of_nights([(k_ / n_ - share) * math.sqrt(n_) / spread for k_, n_ in earlier])
    n_effective = max(1, round(n / sigma**2))
    low, high = binomial_limits(n_effective, share)
    return low / n_effective, high / n_effective


def _mean_limits(earlier: Sequence[Moments], n: int) -> tuple[float, float] | tuple[None, None]:
    if len(earlier) < FEWEST_NIGHTS or not n:
        return None, None
    whole = sum(earlier, Moments())
    mean = whole.total / whole.n
    spread = math.sqrt(max(whole.squares / whole.n - mean**2, 1e-12))
    sigma = _spread_of_nights([(e.total / e.n - mean) * math.sqrt(e.n) / spread for e in earlier])
    reach = 3 * sigma * spread * math.sqrt(1 / n + 1 / whole.n)
    return max(0.0, mean - reach), min(1.0, mean + reach)


def _spread_of_nights(deviations: Sequence[float]) -> float:
    """Return the standard deviation of nights in standard errors, by moving ranges; at least 1."""
    ranges = [abs(b - a) for a, b in pairwise(deviations)]
    return max(1.0, sum(ranges) / len(ranges) / 1.128)


def binomial_limits(n: int, share: float) -> tuple[int, int]:
    """Return the least and the greatest count of n that are not beyond the limits.

    The chances of fewer and of more are at most `OUTSIDE` each.
    """
    variance = n * share * (1 - share)
    if variance > _NORMAL_FROM:
        reach = 3 * math.sqrt(variance)
        return math.floor(n * share - reach), math.ceil(n * share + reach)
    below, low = 0.0, 0
    for k in range(n + 1):
        below += _binomial(k, n, share)
        if below > OUTSIDE:
            low = k
            break
    above, high = 0.0, n
    for k in range(n, -1, -1):
        above += _binomial(k, n, share)
        if above > OUTSIDE:
            high = k
            break
    return low, high


def _binomial(k: int, n: int, share: float) -> float:
    log_ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_ways + k * math.log(share) + (n - k) * math.log1p(-share))
