"""From the labelled videos of val to a calibration file's content. Nothing else is looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

from ah_ray.errors import ConfigError
from ah_ray.reduction import Scaling
from ah_ray.results.calibration import Calibration, FittedOn
from ah_ray.results.reducers import parse_reducer
from ah_ray.study.evaluation.calibrating import ScalingKind, fit_scaling
from ah_ray.study.evaluation.evaluate import FIT_ON
from ah_ray.study.evaluation.judged import Judged
from ah_ray.study.evaluation.scored_output import ScoredOutput, read_output
from ah_ray.study.evaluation.thresholds import Threshold, fit_threshold
from ah_ray.study.evaluation.ways import scaled
from ah_ray.study.labels import read_about, read_labelled_videos
from ah_ray.units import counted


def fit_calibration(
    out: str,
    labels: str,
    *,
    reducer: str | None = None,
    scaling_by: ScalingKind = ScalingKind.TEMPERATURE,
    threshold: Threshold | float = Threshold.MACRO_F1,
) -> Calibration:
    """Fitted to one output's videos of val: first the scaling, then the threshold of what it gives.

    `reducer` is the output's own unless it is given. Raises ConfigError if this cannot be fitted.
    """
    output, videos = _of_one_model(out, labels)
    reducer = reducer or output.config.reduction.reducer
    parse_reducer(reducer)
    fit = output.judged(videos, output.plain(reducer)).scored()
    if not fit.has_both_labels:
        raise ConfigError(
            f"what {out} has scored of {FIT_ON} ({counted(len(fit), 'video')}) is not of both "
            "labels: nothing can be fitted to it"
        )
    scaling = _scaling(scaling_by, fit)
    if isinstance(threshold, Threshold):
        by, at = threshold, fit_threshold(threshold, fit.label, scaled(fit.p_ah, scaling))
    else:
        by, at = Threshold.FIXED, threshold
    return Calibration(
        reducer=reducer,
        scaling=scaling,
        scaling_by=scaling_by,
        threshold=at,
        threshold_by=by,
        config_fingerprint=output.config.config_fingerprint,
        scoring=output.config.scoring,
        fitted_on=FittedOn(
            data_fingerprint=read_about(labels)["data_fingerprint"],
            split=FIT_ON,
            n_videos=len(fit),
            n_participants=fit.n_participants,
            n_ah=int(fit.label.sum()),
        ),
        ah_ray_version=version("ah_ray"),
        fitted_at=datetime.now(UTC),
    )


def _of_one_model(out: str, labels: str) -> tuple[ScoredOutput, list[dict]]:
    """An output, and the labelled videos that are fitted to."""
    videos = [v for v in read_labelled_videos(labels, FIT_ON).to_pylist() if v["label"] is not None]
    if not videos:
        raise ConfigError(f"--labels {labels} has no video in {FIT_ON}, which is what is fitted to")
    output = read_output(out, {video["video_id"] for video in videos})
    if output.config.scoring is None or output.config.reduction.ensemble is not None:
        raise ConfigError(
            f"{output.out} is of several models ({output.config.described()}): a calibration is "
            "fitted to one model's output; fit one for each, and give all to jobs/reduce.py"
        )
    return output, videos


def _scaling(kind: ScalingKind, fit: Judged) -> Scaling | None:
    found = fit_scaling(kind, fit.label, fit.p_ah)
    if found is None and kind is not ScalingKind.NONE:
        raise ConfigError(
            f"no {kind} can be fitted: over {counted(len(fit), 'video')} of {FIT_ON}, p_ah does "
            "not rise with A/H; look at the model first, or give --scaling none"
        )
    return found
