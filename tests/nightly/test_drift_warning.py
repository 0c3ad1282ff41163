"""A night that differs from those before it is reported at its end, by real run summaries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ah_ray.nightly.drift_warning import drift_warnings
from ah_ray.nightly.webhook import add_drift, outcome_message
from ah_ray.output.runs import RunSummary, write_summary
from ah_ray.verdicts.night_figures import Moments, NightFigures

FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)


def write_night(out: str, day: int, n_yes: int, **fields) -> RunSummary:
    figures = NightFigures(
        n_rows=40, n_scored=40, n_yes=n_yes, p_ah=Moments(n=40, total=16.0, squares=9.0)
    )
    started = FIRST + timedelta(days=day)
    made = {
        "run_id": f"{started:%Y%m%dT%H%M%S}.000Z-0badcafe",
        "started_at": started,
        "ended_at": started + timedelta(minutes=30),
        "exit_status": 0,
        "config_fingerprint": "one",
        "settings": {"threshold": 0.5, "reducer": "any"},
        "figures": figures,
    }
    summary = RunSummary(**made | fields)
    write_summary(out, summary)
    return summary


def write_usual_nights(out: str, n: int = 12, **fields) -> None:
    for day in range(n):
        write_night(out, day, 10 + day % 3, **fields)


def test_an_unusual_night_is_reported(tmp_path):
    out = str(tmp_path)
    write_usual_nights(out)
    last = write_night(out, 12, 35)
    (warning,) = drift_warnings(out, last)
    assert warning.startswith("Drift: share of Yes is 88% of 40 videos, above its limits ")
    message = add_drift(outcome_message("study", "study-1", 0, last), [warning])
    assert message["drift"] == [warning]
    assert warning in message["text"]


@pytest.mark.parametrize("n_yes", [9, 12, 15])
def test_a_usual_night_is_not(tmp_path, n_yes):
    write_usual_nights(str(tmp_path))
    assert drift_warnings(str(tmp_path), write_night(str(tmp_path), 12, n_yes)) == []


def test_nights_of_another_threshold_or_model_do_not_compare(tmp_path):
    out = str(tmp_path)
    write_usual_nights(out, settings={"threshold": 0.9, "reducer": "any"})
    assert drift_warnings(out, write_night(out, 12, 35)) == []
    write_usual_nights(out, config_fingerprint="another")
    assert drift_warnings(out, write_night(out, 12, 35)) == []


def test_too_few_nights_and_runs_without_figures_warn_of_nothing(tmp_path):
    out = str(tmp_path)
    write_usual_nights(out, n=7)
    assert drift_warnings(out, write_night(out, 7, 35)) == []
    assert drift_warnings(out, write_night(out, 8, 35, figures=None)) == []
    assert drift_warnings(out, None) == []
