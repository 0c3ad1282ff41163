"""A calibration file's content, with nothing fitted."""

from __future__ import annotations

from datetime import UTC, datetime

from invented_rows import scoring

from ah_ray.config import Scoring
from ah_ray.results.calibration import Calibration, FittedOn
from ah_ray.verdicts.reduction import Scaling

FITTED_ON = FittedOn(
    data_fingerprint="0123456789abcdef", split="val", n_videos=20, n_participants=5, n_ah=9
)


def calibration(by: Scoring | None = None, **changes: object) -> Calibration:
    """For scores of `by`."""
    by = by or scoring()
    fields = {
        "reducer": "mean",
        "scaling": Scaling(slope=0.5),
        "scaling_by": "temperature",
        "threshold": 0.6,
        "threshold_by": "macro-f1",
        "config_fingerprint": by.fingerprint,
        "scoring": by,
        "fitted_on": FITTED_ON,
        "ah_ray_version": "0.1",
        "fitted_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Calibration(**fields | changes)
