"""Fit the content of a calibration file to the labelled videos of val, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ah_ray.errors import ConfigError
from ah_ray.installation import ah_ray_version
from ah_ray.provenance.learned_from import Use
from ah_ray.results.calibration import SCHEMA_VERSION, Calibration, FittedOn, FittedOnClips
from ah_ray.study.evaluation.alternatives import apply_scaling
from ah_ray.study.evaluation.figures.calibration import fit_scaling
from ah_ray.study.evaluation.figures.thresholds import fit_threshold
from ah_ray.study.evaluation.figures.timeline import marked_clips
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.study.evaluation.reported_videos import FIT_ON
from ah_ray.study.evaluation.scored_output import Row, ScoredOutput, read_output
from ah_ray.study.evaluation.settings import ScalingKind, Threshold
from ah_ray.study.evaluation.validity.selection import unselected
from ah_ray.study.labelled_manifest import read_about, read_labelled_videos
from ah_ray.study.leak_records import record_split
from ah_ray.units import format_count
from ah_ray.verdicts.reducers import parse_reducer
from ah_ray.verdicts.reduction import IsotonicScaling, Scaling


def fit_calibration(
    out: str,
    labels: str,
    *,
    reducer: str | None = None,
    clip_scaling_by: ScalingKind = ScalingKind.NONE,
    scaling_by: ScalingKind = ScalingKind.PLATT,
    threshold: Threshold | float = Threshold.MACRO_F1,
) -> Calibration:
    """Return a calibration that is fitted to one output's videos of val.

    The scaling of clips is fitted first, to those whose label is known; then the scaling of videos,
    to what the reducer makes of the scaled clips; then the threshold of the scaled probabilities.
    `reducer` is the output's own unless it is given. Raise ConfigError if there is nothing to fit
    to.
    """
    output, videos = _of_one_model(out, labels)
    reducer = reducer or output.config.reduction.reducer
    parse_reducer(reducer)
    of_clips: dict[str, Any] = {}
    if clip_scaling_by is not ScalingKind.NONE:
        of_clips = _fit_clips(clip_scaling_by, output, videos)
    reduction = output.plain(reducer).model_copy(
        update={"clip_scaling": of_clips.get("clip_scaling")}
    )
    fit = output.predictions(videos, reduction).without_unscored()
    if not fit.has_both_labels:
        raise ConfigError(
            f"the {format_count(len(fit), 'video')} of {FIT_ON} that {out} has scored do not have "
            "both labels, so nothing can be fitted: label more videos of val, or score them"
        )
    scaling = _scaling(scaling_by, fit, "video")
    if isinstance(threshold, Threshold):
        by, at = threshold, fit_threshold(threshold, fit.label, apply_scaling(fit.p_ah, scaling))
    else:
        by, at = Threshold.FIXED, threshold
    return Calibration(
        **of_clips,
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
        learned_from=record_split(labels, FIT_ON, Use.CALIBRATION),
        ah_ray_version=ah_ray_version(),
        fitted_at=datetime.now(UTC),
    )


def _of_one_model(out: str, labels: str) -> tuple[ScoredOutput, list[Row]]:
    """Return the output of one model, and the labelled videos to fit to."""
    labelled = [
        v for v in read_labelled_videos(labels, FIT_ON).to_pylist() if v["label"] is not None
    ]
    videos = unselected(labelled)
    if labelled and not videos:
        raise ConfigError(
            f"--labels {labels}: the videos of {FIT_ON} were selected for a review, and nothing is "
            "fitted to selected videos; give labels of a whole cohort"
        )
    if not videos:
        raise ConfigError(f"--labels {labels} has no video in {FIT_ON}, which is what is fitted to")
    output = read_output(out, {video["video_id"] for video in videos})
    if output.config.scoring is None or output.config.reduction.ensemble is not None:
        raise ConfigError(
            f"{output.out} is of several models ({output.config.describe()}): a calibration is "
            "fitted to one model's output; fit one for each, and give all to jobs/reduce.py"
        )
    return output, videos


def _fit_clips(kind: ScalingKind, output: ScoredOutput, videos: Sequence[Row]) -> dict[str, Any]:
    """Return the fields of a calibration that are about clips."""
    rows = [output.rows.get(video["video_id"]) for video in videos]
    whose = output.predictions(videos).participant
    marked = marked_clips(videos, rows, whose)
    if marked is None or not marked.clips.has_both_labels:
        raise ConfigError(
            f"--clip-scaling {kind}: no label of {FIT_ON} says when in a video "
            f"{output.config.construct_name} occurs, or all clips have the same label, so there is "
            "nothing to fit clips to; leave it out"
        )
    clips = marked.clips
    return {
        "schema_version": SCHEMA_VERSION,
        "clip_scaling": _scaling(kind, clips, "clip"),
        "clip_scaling_by": kind,
        "clips_fitted_on": FittedOnClips(
            n_clips=len(clips),
            n_ah_clips=int(clips.label.sum()),
            n_videos=len(marked.owner),
            n_participants=clips.n_participants,
        ),
    }


def _scaling(kind: ScalingKind, fit: Predictions, unit: str) -> Scaling | IsotonicScaling | None:
    found = fit_scaling(kind, fit.label, fit.p_ah)
    if found is None and kind is not ScalingKind.NONE:
        flag = "--scaling" if unit == "video" else "--clip-scaling"
        raise ConfigError(
            f"no {kind} can be fitted: over {format_count(len(fit), unit)} of {FIT_ON}, p_ah "
            f"does not rise with the labels; look at the model first, or give {flag} none"
        )
    return found
