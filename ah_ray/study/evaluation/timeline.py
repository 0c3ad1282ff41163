"""Timelines against the segments that annotators marked. Pure.

A clip is A/H if segments cover half of it or more, or if it covers half of a segment or more (so a
moment shorter than a clip counts). Of the video's seconds, with *yes* those in clips that are a
Yes, *marked* those in segments, and *both* those in both, summed over videos:

    iou          both / (yes + marked − both)
    precision_s  both / yes
    recall_s     both / marked
    f1_s         2·both / (yes + marked)

What no scored clip covers is no Yes. Videos that are A/H as a whole, without segments, tell
nothing of when, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ah_ray.results.reducers import YES
from ah_ray.study.evaluation.bootstrap import Bootstrap, of_counts, of_weights
from ah_ray.study.evaluation.contents import Timeline
from ah_ray.study.evaluation.judged import Judged
from ah_ray.study.evaluation.measures import average_precision, average_precision_1000

Spans = Sequence[tuple[float, float]]
"""Of start and end in seconds."""


def union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same seconds in spans that neither touch nor overlap, in order."""
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        elif end_s > start_s:
            joined.append((start_s, end_s))
    return joined


def shared_s(a: Spans, b: Spans) -> float:
    """Seconds that are in both, each being a `union`."""
    return sum(
        max(0.0, min(end, other_end) - max(start, other_start))
        for start, end in a
        for other_start, other_end in b
    )


def seconds(spans: Spans) -> float:
    return sum(end - start for start, end in spans)


def is_ah(clip: tuple[float, float], segments: Spans) -> bool:
    """By the rule above; segments are a `union`."""
    return shared_s([clip], segments) * 2 >= clip[1] - clip[0] or any(
        shared_s([clip], [segment]) * 2 >= segment[1] - segment[0] for segment in segments
    )


def timeline(
    videos: Sequence[dict], rows: Sequence[dict | None], participant: np.ndarray, how: Bootstrap
) -> Timeline | None:
    """Rows of LABELLED_VIDEOS, the rows of records.VERDICT that belong to them, and [n] whose they
    are. None if nothing is marked in any of them."""
    label, p_ah, whose, counts, owner = [], [], [], [], []
    for video, row, number in zip(videos, rows, participant, strict=True):
        segments = union((each["start_s"], each["end_s"]) for each in video["segments"] or ())
        clips = [clip for clip in row["clips"] if clip["p_ah"] is not None] if row else []
        if not clips or (video["label"] == 1 and not segments):
            continue
        for clip in clips:
            label.append(is_ah((clip["start_s"], clip["end_s"]), segments))
            p_ah.append(clip["p_ah"])
            whose.append(number)
        yes = union((c["start_s"], c["end_s"]) for c in clips if c["answer"] == YES)
        counts.append((seconds(yes), seconds(segments), shared_s(yes, segments)))
        owner.append(number)
    if not any(marked_s for _, marked_s, _ in counts):
        return None
    judged = Judged.of(label, p_ah, np.zeros(len(label), bool), np.array(whose))
    return _timeline(judged, np.array(counts), np.array(owner), how)


def _timeline(judged: Judged, counts: np.ndarray, owner: np.ndarray, how: Bootstrap) -> Timeline:
    def swept(measure):
        return of_weights(
            lambda weights: measure(judged.label, judged.p_ah, weights), judged.participant, how
        )

    yes_s, marked_s, both_s = counts.sum(axis=0).tolist()
    return Timeline(
        n_videos=len(counts),
        n_participants=len(np.unique(owner)),
        n_clips=len(judged),
        n_ah_clips=int(judged.label.sum()),
        average_precision=swept(average_precision),
        average_precision_1000=swept(average_precision_1000),
        marked_s=marked_s,
        yes_s=yes_s,
        both_s=both_s,
        **of_counts(overlaps, counts, owner, how),
    )


def overlaps(counts: np.ndarray) -> dict[str, np.ndarray]:
    """iou, precision_s, recall_s, f1_s [...] of yes, marked and both [..., 3]; NaN for 0/0."""
    yes, marked, both = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore"):
        return {
            "iou": both / (yes + marked - both),
            "precision_s": both / yes,
            "recall_s": both / marked,
            "f1_s": 2 * both / (yes + marked),
        }
