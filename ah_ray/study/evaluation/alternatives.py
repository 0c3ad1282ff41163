"""The same scores made into answers in other ways: reducers, thresholds, scalings. Pure.

`fit` are the scored videos of val, of both labels, or None; `scored` are the videos that are
reported, to which nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.figures.calibration import (
    calibration_curve,
    error_if_perfect,
    expected_calibration_error,
    fit_scaling,
)
from ah_ray.study.evaluation.figures.calibration_intervals import in_the_large, mean_losses
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import LEVEL
from ah_ray.study.evaluation.figures.length_bias import length_correlation
from ah_ray.study.evaluation.figures.measures import Floats, answer_measures
from ah_ray.study.evaluation.figures.thresholds import fit_threshold
from ah_ray.study.evaluation.predictions import Predictions, count_by_participant, measure
from ah_ray.study.evaluation.schema import AtThreshold, ByReducer, Calibrated, CurvePoint
from ah_ray.study.evaluation.scored_output import Row, ScoredOutput
from ah_ray.study.evaluation.settings import ScalingKind, Threshold
from ah_ray.verdicts.reducers import REDUCERS
from ah_ray.verdicts.reduction import IsotonicScaling, Scaling

_CURVE = np.linspace(0, 1, 101)


def compare_reducers(
    output: ScoredOutput,
    videos: Sequence[Row],
    fitting: Sequence[Row],
    n_clips: npt.NDArray[np.int64],
    level: float = LEVEL,
) -> tuple[ByReducer, ...]:
    """Return all reducers, applied to the clips of scored videos; `fitting` [] fits nothing."""
    return tuple(_apply_reducer(name, output, videos, fitting, n_clips, level) for name in REDUCERS)


def _apply_reducer(
    name: str,
    output: ScoredOutput,
    videos: Sequence[Row],
    fitting: Sequence[Row],
    n_clips: npt.NDArray[np.int64],
    level: float,
) -> ByReducer:
    scored = output.predictions(videos, output.plain(name))
    threshold = on_val = fitted = None
    if fitting:
        fit = output.predictions(fitting, output.plain(name)).without_unscored()
        threshold = fit_threshold(Threshold.MACRO_F1, fit.label, fit.p_ah)
        on_val = measure(fit.answer_at(threshold), level)
        fitted = measure(scored.answer_at(threshold), level)
    return ByReducer(
        reducer=name,
        at_half=measure(scored.answer_at(0.5), level),
        threshold=threshold,
        on_val=on_val,
        fitted=fitted,
        length_correlation=length_correlation(scored, n_clips),
    )


def compare_thresholds(
    scored: Predictions,
    fit: Predictions | None,
    threshold: float,
    fit_on: str,
    level: float = LEVEL,
) -> tuple[AtThreshold, ...]:
    """Return the output's own threshold, then those that are fitted."""
    found: list[tuple[Threshold, float, str | None]] = [(Threshold.FIXED, threshold, None)]
    if fit is not None:
        found += [
            (each, fit_threshold(each, fit.label, fit.p_ah), fit_on)
            for each in (Threshold.MACRO_F1, Threshold.BASE_RATE)
        ]
    return tuple(
        AtThreshold(
            how=how, threshold=at, fitted_on=on, measures=measure(scored.answer_at(at), level)
        )
        for how, at, on in found
    )


def threshold_curve(scored: Predictions) -> tuple[CurvePoint, ...]:
    """Return the measures at the thresholds 0, 0.01, …, 1."""
    return tuple(_measure_point(scored, threshold) for threshold in _CURVE.tolist())


def _measure_point(scored: Predictions, threshold: float) -> CurvePoint:
    at = scored.answer_at(threshold)
    found = answer_measures(count_by_participant(at).sum(axis=0))
    has_ah, has_others = bool(at.label.any()), not at.label.all()
    defined = {
        "macro_f1": has_ah and has_others,
        "f1_ah": has_ah,
        "precision_ah": bool(at.yes.any()),
        "recall_ah": has_ah,
        "specificity": has_others,
    }
    return CurvePoint(
        threshold=round(threshold, 2),
        share_yes=float(at.yes.mean()),
        **{name: float(found[name]) if is_there else None for name, is_there in defined.items()},
    )


def compare_scalings(
    scored: Predictions, fit: Predictions | None, fit_on: str, how: Bootstrap
) -> tuple[Calibrated, ...]:
    """Return the scores as they stand, then scaled, without scalings that cannot be fitted."""
    found = [_measure_calibration(scored, ScalingKind.NONE, None, None, how)]
    if fit is not None:
        for kind in ScalingKind:
            scaling = fit_scaling(kind, fit.label, fit.p_ah)
            if scaling is not None:
                found.append(_measure_calibration(scored, kind, scaling, fit_on, how))
    return tuple(found)


def apply_scaling(p_ah: Floats, scaling: Scaling | IsotonicScaling | None) -> Floats:
    """Return scaled probabilities [n]; as they are without a scaling."""
    return p_ah if scaling is None else np.array([scaling(p) for p in p_ah.tolist()], np.float64)


def _measure_calibration(
    scored: Predictions,
    kind: ScalingKind,
    scaling: Scaling | IsotonicScaling | None,
    fit_on: str | None,
    how: Bootstrap,
) -> Calibrated:
    p_ah, label, whose = apply_scaling(scored.p_ah, scaling), scored.label, scored.participant
    losses = mean_losses(label, p_ah, whose, how.level)
    return Calibrated(
        scaling_by=kind,
        slope=scaling.slope if isinstance(scaling, Scaling) else None,
        intercept=scaling.intercept if isinstance(scaling, Scaling) else None,
        fitted_on=fit_on,
        ece=expected_calibration_error(label, p_ah),
        ece_if_perfect=error_if_perfect(p_ah, how),
        in_the_large=estimate_of(in_the_large(label, p_ah, whose, how.level), n=len(scored)),
        brier=estimate_of(losses["brier"], n=len(scored)),
        log_loss=estimate_of(losses["log_loss"], n=len(scored)),
        reliability=calibration_curve(label, p_ah, whose, how.level),
    )
