"""Control limits: they hold usual nights, and let shifts through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.results.drift import (
    FEWEST_NIGHTS,
    OUTSIDE,
    Drift,
    Night,
    binomial_limits,
    make_drift,
)
from ah_ray.verdicts.night_figures import Moments, NightFigures

FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)


def nights_of(figures: list[NightFigures]) -> list[Night]:
    return [
        Night(run_id=f"run-{n}", ended_at=FIRST + timedelta(days=n), figures=each)
        for n, each in enumerate(figures)
    ]


def moments(values: np.ndarray) -> Moments:
    return Moments(n=len(values), total=float(values.sum()), squares=float((values**2).sum()))


def night(random: np.random.Generator, share: float, between: float = 0.0) -> NightFigures:
    """40 videos of people who send several, so that nights vary by `between` more than a coin."""
    p = float(np.clip(share + random.normal(0, between), 0.01, 0.99))
    scores = random.beta(4 * p, 4 * (1 - p), size=40)
    failed = int(random.random() < 0.2)
    return NightFigures(
        n_rows=40 + failed,
        n_scored=40,
        n_yes=int((random.random(40) < p).sum()),
        failed_by_kind={"decode": failed} if failed else {},
        p_ah=moments(scores),
        answer_mass=moments(random.normal(0.93, 0.02, 160)),
    )


def chart(drift: Drift | None, name: str):
    assert drift is not None
    return next(each for each in drift.charts if each.name == name)


@pytest.mark.parametrize("between", [0.0, 0.08])
def test_false_alarms_are_rare_even_where_nights_vary(between):
    random, outside, judged = np.random.default_rng(0), 0, 0
    for _ in range(40):
        figures = [night(random, 0.3, between) for _ in range(40)]
        drift = make_drift(nights_of(figures))
        assert drift is not None
        for each in drift.charts:
            with_limits = [point for point in each.points if point.low is not None]
            judged += len(with_limits)
            outside += sum(point.is_outside for point in with_limits)
    assert outside / judged < 0.01, f"{outside} of {judged}"


def test_a_shift_is_noticed():
    random = np.random.default_rng(1)
    noticed = 0
    for _ in range(50):
        figures = [night(random, 0.3) for _ in range(20)] + [night(random, 0.7)]
        drift = make_drift(nights_of(figures))
        noticed += chart(drift, "share of Yes").last.is_outside
        assert chart(drift, "mean score").last.is_outside
    assert noticed >= 45


def test_one_failure_after_none_is_no_alarm_and_many_are():
    quiet = NightFigures(n_rows=40, n_scored=40)
    for failed, expected in ((1, False), (6, True)):
        last = NightFigures(n_rows=40, n_scored=40 - failed, failed_by_kind={"timeout": failed})
        drift = make_drift(nights_of([*[quiet] * 20, last]))
        assert chart(drift, "share not scored: timeout").last.is_outside == expected
        assert chart(drift, "share not scored").last.is_outside == expected


def test_before_enough_nights_there_are_no_limits():
    figures = [NightFigures(n_rows=10, n_scored=10, n_yes=5)] * (FEWEST_NIGHTS + 1)
    points = chart(make_drift(nights_of(figures)), "share of Yes").points
    assert [point.low is None for point in points] == [True] * FEWEST_NIGHTS + [False]
    assert make_drift([]) is None
    assert make_drift(nights_of([NightFigures()])) is None


@given(st.integers(1, 400), st.floats(0.001, 0.999))
def test_limits_of_a_share_leave_out_what_chance_rarely_does(n, share):
    low, high = binomial_limits(n, share)
    assert 0 <= low <= high <= n
    chance = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    assert sum(chance[:low]) <= OUTSIDE + 1e-9
    assert sum(chance[high + 1 :]) <= OUTSIDE + 1e-9
    assert sum(chance[: low + 1]) > OUTSIDE - 1e-9
    assert sum(chance[high:]) > OUTSIDE - 1e-9
