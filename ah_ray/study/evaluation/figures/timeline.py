"""Timelines against the segments that annotators marked. Pure.

A clip is A/H if segments cover half of it or more, or if it covers half of a segment or more, so
that a moment shorter than a clip counts. *yes* are the seconds in clips with the answer Yes,
*marked* those in segments, and *both* those in both, summed over videos:

    iou          both / (yes + marked − both)
    precision_s  both / yes
    recall_s     both / marked
    f1_s         2·both / (yes + marked)

Seconds that no scored clip covers count as No. Videos that are A/H as a whole, without segments,
say nothing about when, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ah_ray.profile import YES
from ah_ray.study.evaluation.figures.calibration_intervals import sum_by_participant
from ah_ray.study.evaluation.figures.estimate import Estimate, estimate_of
from ah_ray.study.evaluation.figures.intervals import CLIP_CORRELATION, LEVEL, share_interval
from ah_ray.study.evaluation.figures.measures import (
    Floats,
    average_precision,
    average_precision_1000,
)
from ah_ray.study.evaluation.figures.score_intervals import ScoreMeasure, score_interval
from ah_ray.study.evaluation.predictions import Predictions
from ah_ray.study.evaluation.schema import Calibrated, Timeline

Row = dict[str, Any]
Spans = Sequence[tuple[float, float]]
"""Start and end of each, in seconds."""


def union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the same seconds as spans that neither touch nor overlap, in order."""
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        elif end_s > start_s:
            joined.append((start_s, end_s))
    return joined


def shared_s(a: Spans, b: Spans) -> float:
    """Return the seconds that are in both; each is a `union`."""
    return sum(
        max(0.0, min(end, other_end) - max(start, other_start))
        for start, end in a
        for other_start, other_end in b
    )


def seconds(spans: Spans) -> float:
    """Return the length of a `union`."""
    return sum(end - start for start, end in spans)


def is_ah(clip: tuple[float, float], segments: Spans) -> bool:
    """Return whether a clip is A/H, by the rule above; segments are a `union`."""
    return shared_s([clip], segments) * 2 >= clip[1] - clip[0] or any(
        shared_s([clip], [segment]) * 2 >= segment[1] - segment[0] for segment in segments
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkedClips:
    """The scored clips of videos that say when, and the seconds of these videos."""

    clips: Predictions
    seconds: Floats  # [videos, 3]: yes, marked, both
    owner: npt.NDArray[np.int64]  # [videos]: whose they are
    clip_s: float  # how long a clip is on average


def marked_clips(
    videos: Sequence[Row], rows: Sequence[Row | None], participant: npt.NDArray[np.int64]
) -> MarkedClips | None:
    """Return the clips beside what was marked; None if nothing is marked in any of the videos.

    `videos` are rows of LABELLED_VIDEOS, `rows` the rows of records.VERDICT that belong to them,
    and participant [videos] says whose they are.
    """
    label, p_ah, yes, whose, counts, owner, lengths = [], [], [], [], [], [], []
    for video, row, number in zip(videos, rows, participant, strict=True):
        segments = union((each["start_s"], each["end_s"]) for each in video["segments"] or ())
        clips = [clip for clip in row["clips"] if clip["p_ah"] is not None] if row else []
        if not clips or (video["label"] == 1 and not segments):
            continue
        for clip in clips:
            label.append(is_ah((clip["start_s"], clip["end_s"]), segments))
            p_ah.append(clip["p_ah"])
            yes.append(clip["answer"] == YES)
            lengths.append(clip["end_s"] - clip["start_s"])
            whose.append(number)
        covered = union((c["start_s"], c["end_s"]) for c in clips if c["answer"] == YES)
        counts.append((seconds(covered), seconds(segments), shared_s(covered, segments)))
        owner.append(number)
    if not any(marked_s for _, marked_s, _ in counts):
        return None
    return MarkedClips(
        clips=Predictions.of(label, p_ah, yes, np.array(whose)),
        seconds=np.array(counts, np.float64),
        owner=np.array(owner, np.int64),
        clip_s=float(np.mean(lengths)),
    )


def measure_timeline(
    marked: MarkedClips, calibration: tuple[Calibrated, ...] = (), level: float = LEVEL
) -> Timeline:
    """Return how well clips find what was marked. Intervals count seconds in lengths of a clip."""
    clips = marked.clips

    def score(measure: ScoreMeasure) -> Estimate:
        found = score_interval(
            measure, clips.label, clips.p_ah, clips.participant, level, CLIP_CORRELATION
        )
        return estimate_of(found, n=len(clips))

    yes_s, marked_s, both_s = marked.seconds.sum(axis=0).tolist()
    by_person = sum_by_participant(marked.seconds, marked.owner) / marked.clip_s
    return Timeline(
        n_videos=len(marked.seconds),
        n_participants=len(by_person),
        n_clips=len(clips),
        n_ah_clips=int(clips.label.sum()),
        average_precision=score(average_precision),
        average_precision_1000=score(average_precision_1000),
        marked_s=marked_s,
        yes_s=yes_s,
        both_s=both_s,
        **{
            name: estimate_of(share_interval(a, b, level, CLIP_CORRELATION))
            for name, (a, b) in overlap_parts(by_person).items()
        },
        calibration=calibration,
    )


def overlap_parts(seconds: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Return numerator and denominator [...] of each overlap; seconds [..., 3] as above."""
    yes, marked, both = np.moveaxis(seconds, -1, 0)
    return {
        "iou": (both, yes + marked - both),
        "precision_s": (both, yes),
        "recall_s": (both, marked),
        "f1_s": (2 * both, yes + marked),
    }
