"""The same scores made into answers in other ways: reducers, thresholds, scalings. Pure.

Here a `fit` is videos of val that were scored, of both labels, or None; `scored` are those that are
reported, and nothing is fitted to them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ah_ray.reduction import Scaling
from ah_ray.study.evaluation.bootstrap import Bootstrap, of_counts
from ah_ray.study.evaluation.calibrating import (
    ScalingKind,
    ece,
    fit_scaling,
    log_losses,
    reliability,
)
from ah_ray.study.evaluation.contents import AtThreshold, ByReducer, Calibrated, CurvePoint
from ah_ray.study.evaluation.judged import Judged, measured
from ah_ray.study.evaluation.length_bias import length_correlation
from ah_ray.study.evaluation.measures import answer_measures, confusions
from ah_ray.study.evaluation.scored_output import ScoredOutput
from ah_ray.study.evaluation.thresholds import Threshold, fit_threshold

REDUCERS = ("any", "mean", "topk3", "noisyor", "share", "duration")
_CURVE = np.linspace(0, 1, 101)


def by_reducers(
    output: ScoredOutput,
    videos: Sequence[dict],
    fitting: Sequence[dict],
    n_clips: np.ndarray,
    how: Bootstrap,
) -> tuple[ByReducer, ...]:
    """All six, each from the same clips of videos that were scored; `fitting` [] fits nothing."""
    return tuple(_by_reducer(name, output, videos, fitting, n_clips, how) for name in REDUCERS)


def _by_reducer(
    name: str,
    output: ScoredOutput,
    videos: Sequence[dict],
    fitting: Sequence[dict],
    n_clips: np.ndarray,
    how: Bootstrap,
) -> ByReducer:
    judged = output.judged(videos, output.plain(name))
    threshold = None
    if fitting:
        fit = output.judged(fitting, output.plain(name)).scored()
        threshold = fit_threshold(Threshold.MACRO_F1, fit.label, fit.p_ah)
    return ByReducer(
        reducer=name,
        at_half=measured(judged.at(0.5), how),
        threshold=threshold,
        on_val=None if threshold is None else measured(fit.at(threshold), how),
        fitted=None if threshold is None else measured(judged.at(threshold), how),
        length_correlation=length_correlation(judged, n_clips),
    )


def by_thresholds(
    scored: Judged, fit: Judged | None, threshold: float, fit_on: str, how: Bootstrap
) -> tuple[AtThreshold, ...]:
    """As it is, then fitted."""
    found = [(Threshold.FIXED, threshold, None)]
    if fit is not None:
        found += [
            (each, fit_threshold(each, fit.label, fit.p_ah), fit_on)
            for each in (Threshold.MACRO_F1, Threshold.BASE_RATE)
        ]
    return tuple(
        AtThreshold(how=each, threshold=at, fitted_on=on, measures=measured(scored.at(at), how))
        for each, at, on in found
    )


def curve(scored: Judged) -> tuple[CurvePoint, ...]:
    """At 0, 0.01, …, 1."""
    return tuple(_point(scored.at(threshold), threshold) for threshold in _CURVE.tolist())


def _point(judged: Judged, threshold: float) -> CurvePoint:
    found = answer_measures(confusions(judged.label, judged.yes).sum(axis=0))
    names = ("macro_f1", "f1_ah", "precision_ah", "recall_ah")
    return CurvePoint(
        threshold=round(threshold, 2),
        share_yes=float(judged.yes.mean()),
        **{name: float(found[name]) for name in names},
    )


def by_scalings(
    scored: Judged, fit: Judged | None, fit_on: str, how: Bootstrap
) -> tuple[Calibrated, ...]:
    """As it is, then scaled; without those that could not be fitted."""
    found = [_calibrated(scored, ScalingKind.NONE, None, None, how)]
    if fit is not None:
        for kind in (ScalingKind.TEMPERATURE, ScalingKind.PLATT):
            scaling = fit_scaling(kind, fit.label, fit.p_ah)
            if scaling is not None:
                found.append(_calibrated(scored, kind, scaling, fit_on, how))
    return tuple(found)


def scaled(p_ah: np.ndarray, scaling: Scaling | None) -> np.ndarray:
    return p_ah if scaling is None else np.array([scaling(p) for p in p_ah.tolist()])


def _calibrated(
    judged: Judged, kind: ScalingKind, scaling: Scaling | None, fit_on: str | None, how: Bootstrap
) -> Calibrated:
    p_ah = scaled(judged.p_ah, scaling)
    bins = reliability(judged.label, p_ah)
    losses = np.stack(
        [(p_ah - judged.label) ** 2, log_losses(judged.label, p_ah), np.ones(len(p_ah))], axis=-1
    )
    return Calibrated(
        scaling_by=kind,
        slope=scaling and scaling.slope,
        intercept=scaling and scaling.intercept,
        fitted_on=fit_on,
        ece=ece(bins),
        **of_counts(_means, losses, judged.participant, how),
        reliability=bins,
    )


def _means(sums: np.ndarray) -> dict[str, np.ndarray]:
    brier, log_loss, n = np.moveaxis(sums, -1, 0)
    return {"brier": brier / n, "log_loss": log_loss / n}
