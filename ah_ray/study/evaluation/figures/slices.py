"""Whether verdicts are as good for every group of people, and for every length of video. Pure.

Groups are compared by rates that do not depend on the share of A/H in them. Macro-F1, F1, accuracy
and the predictive values do depend on it, so two groups may differ in these though the model treats
them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ah_ray.study.evaluation.figures.answer_intervals import group_differences
from ah_ray.study.evaluation.figures.calibration_intervals import (
    in_the_large,
    in_the_large_parts,
    sum_by_participant,
)
from ah_ray.study.evaluation.figures.estimate import estimate_of
from ah_ray.study.evaluation.figures.intervals import (
    LEVEL,
    difference_interval,
    mean_interval,
)
from ah_ray.study.evaluation.figures.measures import Labels, confusions
from ah_ray.study.evaluation.predictions import Predictions, measure
from ah_ray.study.evaluation.schema import GroupDifferences, Slice

MIN_PARTICIPANTS = 10
"""A group of fewer has no figures: they would say little, and might be recognised."""

UNKNOWN = "unknown"
AGES = (18, 25, 35, 45, 55, 65)
LENGTHS_S = (15, 30, 60)

Row = dict[str, Any]


def age_band(age: int | None) -> str:
    """Return `under 18`, `18–24`, …, `65 and over`."""
    return UNKNOWN if age is None else _band(age, AGES, "", lambda bound: str(bound - 1))


def length_band(duration_s: float | None) -> str:
    """Return `under 15 s`, `15–30 s`, `30–60 s`, `60 s and over`; the first bound is included."""
    return UNKNOWN if duration_s is None else _band(duration_s, LENGTHS_S, " s", str)


def _band(value: float, bounds: Sequence[int], unit: str, last: Callable[[int], str]) -> str:
    above = [bound for bound in bounds if value >= bound]
    if not above:
        return f"under {bounds[0]}{unit}"
    if len(above) == len(bounds):
        return f"{bounds[-1]}{unit} and over"
    return f"{above[-1]}–{last(bounds[len(above)])}{unit}"


def measure_slices(
    predictions: Predictions,
    videos: Sequence[Row],
    level: float = LEVEL,
    more: Mapping[str, Sequence[object]] | None = None,
) -> tuple[Slice, ...]:
    """Return the figures of each group of scored videos.

    `videos` are the rows of LABELLED_VIDEOS that these are; `more` are further columns [n] to group
    by, by name.
    """
    return tuple(
        _measure_slice(by, group, predictions, here, level)
        for by, group, here in group_videos(videos, more)
    )


def group_videos(
    videos: Sequence[Row], more: Mapping[str, Sequence[object]] | None = None
) -> Iterator[tuple[str, str, Labels]]:
    """Yield by what videos are grouped, the group's name, and which of the n videos are in it."""
    groups = {
        "age": [age_band(video["age"]) for video in videos],
        "gender": [video["gender"] or UNKNOWN for video in videos],
        "ethnicity": [video["ethnicity"] or UNKNOWN for video in videos],
        "language": [video["language"] or UNKNOWN for video in videos],
        "length": [length_band(video["duration_s"]) for video in videos],
    }
    for by, values in (more or {}).items():
        groups[by] = [UNKNOWN if value in (None, "") else str(value) for value in values]
    for by, names in groups.items():
        for group in _in_order(by, set(names)):
            yield by, group, np.array([each == group for each in names])


def _measure_slice(
    by: str, group: str, predictions: Predictions, here: Labels, level: float
) -> Slice:
    inside = predictions.only(here)
    n, n_participants = len(inside), inside.n_participants
    if n_participants < MIN_PARTICIPANTS:
        return Slice(
            by=by,
            group=group,
            n_videos=n,
            n_participants=n_participants,
            n_ah=None,
            measures=None,
        )
    n_ah = int(inside.label.sum())
    return Slice(
        by=by,
        group=group,
        n_videos=n,
        n_participants=n_participants,
        n_ah=n_ah,
        n_not_ah=n - n_ah,
        measures=measure(inside, level),
        in_the_large=estimate_of(
            in_the_large(inside.label, inside.p_ah, inside.participant, level), n=n
        ),
        from_the_rest=_differences(predictions, here, level),
    )


def _differences(predictions: Predictions, here: Labels, level: float) -> GroupDifferences | None:
    """Return the group less all others; None where the others are too few."""
    if predictions.only(~here).n_participants < MIN_PARTICIPANTS:
        return None
    counts = confusions(predictions.label, predictions.yes)
    whose = predictions.participant
    group, rest = (sum_by_participant(counts * which[:, None], whose) for which in (here, ~here))
    found = {
        name: estimate_of(interval)
        for name, interval in group_differences(group, rest, level).items()
    }
    off = [
        mean_interval(*in_the_large_parts(predictions.label, predictions.p_ah, whose, which), level)
        for which in (~here, here)
    ]
    found["in_the_large"] = estimate_of(difference_interval(*off))
    return GroupDifferences(**found)


def _in_order(by: str, names: set[str]) -> Iterator[str]:
    """Yield bands by their size, other groups by name, the unknown last."""
    if by in ("age", "length"):
        of: Callable[[Any], str] = age_band if by == "age" else length_band
        bounds = AGES if by == "age" else LENGTHS_S
        order = [of(value) for value in (bounds[0] - 1, *bounds)]
    else:
        order = sorted(
            names - {UNKNOWN}, key=lambda name: (len(name) if name.isdigit() else 0, name)
        )
    yield from (name for name in [*order, UNKNOWN] if name in names)
