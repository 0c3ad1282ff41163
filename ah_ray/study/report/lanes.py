"""What further questions were answered, as the page draws it beneath the timeline of a video. Pure.

Two more fields of the table of videos (videos.py), each with one place per video:

    answers    for each question of `lanes`, the probabilities of its answers in thousandths, clip
               after clip in one list; -1 where a clip has none
    contrasts  for each contrast of `lanes`, its distances in thousandths, in the same way
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.profile import Profile

LANE_COLUMNS = ("video_id", "clip_index", "answers", "contrasts")
"""Columns of records.CLIPS that are drawn here."""

_NONE = -1


def describe_lanes(profiles: Iterable[Profile]) -> dict[str, Any] | None:
    """Return the further questions and the contrasts of an output; None if it has none.

    A question is `compared` if a contrast names it. With a `positive` answer, which is given by its
    place, it is drawn as one shade, otherwise in a colour for each answer.
    """
    questions: dict[str, dict[str, Any]] = {}
    contrasts: list[str] = []
    for profile in profiles:
        compared = {name for contrast in profile.contrasts for name in contrast.between}
        for one in profile.complete_questions[1:]:
            is_shade = one.positive is not None and one.name not in compared
            described = {
                "name": one.name,
                "answers": list(one.answers),
                "compared": one.name in compared,
                "positive": one.answers.index(one.positive or "") if is_shade else None,
            }
            questions.setdefault(one.name, described)
        contrasts += [one.name for one in profile.contrasts if one.name not in contrasts]
    if not questions:
        return None
    return {"questions": list(questions.values()), "contrasts": contrasts}


def lane_columns(
    lanes: Mapping[str, Any], clips: pa.Table, video_ids: pa.ChunkedArray
) -> dict[str, list[Any]]:
    """Return both fields for these videos. `clips` are rows of records.CLIPS, in their order."""
    these = clips.select(LANE_COLUMNS).filter(
        pc.is_in(clips["video_id"], value_set=video_ids.combine_chunks())
    )
    of_video = {
        video_id: list(rows)
        for video_id, rows in groupby(these.to_pylist(), itemgetter("video_id"))
    }
    timelines = [of_video.get(video_id, []) for video_id in video_ids.to_pylist()]
    return {
        "answers": [_answers(lanes["questions"], timeline) for timeline in timelines],
        "contrasts": [_contrasts(lanes["contrasts"], timeline) for timeline in timelines],
    }


def _answers(
    questions: Sequence[Mapping[str, Any]], timeline: Sequence[Mapping[str, Any]]
) -> list[list[int]]:
    found = [
        {(one["question"], one["answer"]): one["p"] for one in clip["answers"] or ()}
        for clip in timeline
    ]
    return [
        [
            _thousandths(p.get((question["name"], answer)))
            for p in found
            for answer in question["answers"]
        ]
        for question in questions
    ]


def _contrasts(names: Sequence[str], timeline: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    found = [
        {one["contrast"]: one["distance"] for one in clip["contrasts"] or ()} for clip in timeline
    ]
    return [[_thousandths(distances.get(name)) for distances in found] for name in names]


def _thousandths(value: float | None) -> int:
    return _NONE if value is None or not math.isfinite(value) else round(1000 * value)
