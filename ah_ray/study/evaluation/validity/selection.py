"""Figures of videos that were selected: weighted where they were drawn, marked where they were not.

Reviewers' labels say how their videos were chosen (labels.selection). From videos that were drawn
with known chances follow figures of the whole cohort. From moments that were chosen by their scores
follows nothing about it: such videos are left out where there are others, and where there are none,
every figure says so and has no interval. Nothing is ever fitted to either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.figures.measures import (
    auroc,
    average_precision,
    average_precision_1000,
    confusions,
)
from ah_ray.study.evaluation.figures.sampled import MEANS, RATIOS, Sample, sample_estimate
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.study.evaluation.schema import LengthBias, Measures, OutputEvaluation, Selection
from ah_ray.study.labelled_manifest import DRAWN, MOMENTS
from ah_ray.units import format_count

WITHOUT_WEIGHTS = (
    "groups, reducers, thresholds, calibration, baselines, lengths, timelines, contrasts, and "
    "comparisons of outputs"
)
"""The parts of an evaluation that a draw does not have."""

_SWEPT = {
    "average_precision": average_precision,
    "average_precision_1000": average_precision_1000,
    "auroc": auroc,
}
Video = dict[str, Any]
Marked = TypeVar("Marked")


def unselected(videos: Sequence[Video]) -> list[Video]:
    """Return the videos to which something may be fitted."""
    return [video for video in videos if video["selection"] is None]


def without_moments(videos: Sequence[Video]) -> list[Video]:
    """Return the videos without selected moments, or all if there are no others."""
    return [video for video in videos if video["selection"] != MOMENTS] or list(videos)


def selection_of(reported: Sequence[Video], labelled: Sequence[Video]) -> Selection | None:
    """Return how the reported videos were chosen; None if they were not.

    `labelled` are all labelled videos of the split. Some of them may not be reported.
    """
    kinds = {(video["selection"] or "").partition(":")[0] for video in reported}
    draws = (
        {(video["selection"] or "").split(":")[1] for video in reported} if DRAWN in kinds else ()
    )
    if not kinds & {DRAWN, MOMENTS}:
        return None
    weights = [video["weight"] or 0.0 for video in reported]
    return Selection(
        kind=DRAWN if DRAWN in kinds else MOMENTS,
        draw=", ".join(sorted(draws)) or None,
        n_cohort=round(sum(weights)) if DRAWN in kinds else None,
        n_left_out=len(labelled) - len(reported),
    )


def selection_notes(selection: Selection | None, n_videos: int) -> list[str]:
    """Return what a reader must know before the first figure."""
    if selection is None:
        return []
    left_out = []
    if selection.n_left_out:
        left_out = [
            f"{format_count(selection.n_left_out, 'labelled video')} of selected moments left out"
        ]
    if selection.kind == MOMENTS:
        return [
            "OF SELECTED MOMENTS: these videos were chosen by their scores, or nobody knows how; "
            "the figures say nothing about the cohort and have no intervals; draw videos with "
            "jobs/clips.py --draw to measure how good the verdicts are"
        ]
    return [
        f"draw {selection.draw}: figures are of the cohort of {selection.n_cohort:,} videos, "
        f"weighted by strata; counts are of the {format_count(n_videos, 'video')} that were "
        "judged; "
        "nothing is fitted to them, and recall is a few points too high where A/H is rare",
        f"left out, since they have no weighted figures: {WITHOUT_WEIGHTS}",
        *left_out,
    ]


def mark_selection(
    output: OutputEvaluation,
    selection: Selection | None,
    videos: Sequence[Video],
    predictions: Predictions,
) -> OutputEvaluation:
    """Return figures that the selection supports. `videos` and `predictions` are [n] alike."""
    if selection is None:
        return output
    if selection.kind == MOMENTS:
        return without_intervals(output)
    is_scored = predictions.is_scored
    scored = [video for video, there in zip(videos, is_scored.tolist(), strict=True) if there]
    return replace(
        output,
        scored=weigh(output.scored, scored, predictions.without_unscored()),
        counted_wrong=weigh(output.counted_wrong, videos, predictions.count_unscored_as_wrong()),
        reducers=(),
        thresholds=(),
        curve=(),
        calibration=(),
        slices=(),
        length=LengthBias(bands=(), rank_correlation=None, of_labels=None),
        timeline=None,
        baselines=None,
        contrasts=(),
    )


def weigh(plain: Measures, videos: Sequence[Video], predictions: Predictions) -> Measures:
    """Return measures of the cohort from a draw; counts stay those of the videos."""
    weights = np.array([video["weight"] for video in videos], np.float64)
    names = sorted({video["selection"] for video in videos})
    stratum = np.array([names.index(video["selection"]) for video in videos], np.int64)
    sample = Sample(
        cells=confusions(predictions.label, predictions.yes),
        stratum=stratum,
        n_cohort=np.array([weights[stratum == h].sum() for h in range(len(names))], np.float64),
    )
    found: dict[str, Any] = {}
    for each in fields(plain):
        if not isinstance(getattr(plain, each.name), Estimate):
            continue
        if each.name in RATIOS or each.name in MEANS:
            estimate = sample_estimate(each.name, sample)
        elif each.name in _SWEPT and predictions.has_both_labels:
            value = _SWEPT[each.name](predictions.label, predictions.p_ah, weights[None])[0]
            estimate = Estimate(value=None if np.isnan(value) else float(value))
        else:
            estimate = Estimate(value=None)
        found[each.name] = replace(estimate, n_participants=plain.n_participants)
    return replace(plain, **found)


def without_intervals(found: Marked) -> Marked:
    """Return the same dataclass, in which no estimate has an interval."""
    if isinstance(found, Estimate):
        return replace(found, low=None, high=None)
    if isinstance(found, tuple):
        return tuple(without_intervals(each) for each in found)  # type: ignore[return-value]
    if isinstance(found, Mapping) or not is_dataclass(found) or isinstance(found, type):
        return found
    changed = {each.name: without_intervals(getattr(found, each.name)) for each in fields(found)}
    return replace(found, **changed)
