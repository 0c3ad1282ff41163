"""Warnings of a night whose figures lie beyond the limits of the nights before it."""

from __future__ import annotations

from ah_ray.errors import ConfigError, StorageError
from ah_ray.output.runs import RunSummary, latest_summaries
from ah_ray.results.drift import MOST_NIGHTS, comparable_nights, make_drift


def drift_warnings(out: str, summary: RunSummary | None) -> list[str]:
    """Return one sentence for each figure of this run that lies beyond its limits.

    Return none if the run recorded no figures, or if there are too few nights before it.
    """
    if summary is None or summary.figures is None:
        return []
    try:
        summaries = list(latest_summaries(out, MOST_NIGHTS + 1))
    except (ConfigError, StorageError):
        return []  # a warning must not fail a night that is complete
    drift = make_drift(comparable_nights(summaries))
    if drift is None or drift.nights[-1].run_id != summary.run_id:
        return []
    return [f"Drift: {warning}" for warning in drift.warnings]
