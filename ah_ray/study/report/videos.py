"""The table of videos and their timelines, as the page's script reads them. Pure.

One column a field, one place a video, so that ten thousand videos need about a megabyte:

    id         as the page calls them          p, p_clips  in thousandths, whole unless the
                                                           threshold is nearer; null: not scored
    answer     "Y", "N", "" where none         said        of its clips: "YN.", a dot: not scored
    status     place in `statuses`             end_s       of the last clip
    kind       place in `kinds`, or null       spans       [[start_s, end_s], …] of the clips where
    error      what went wrong, without names              they are not regular (hop_s, window_s)
    duration_s, n_clips, n_failed              failed      [[clip, place in `kinds`], …]
    remarks    such as "no sound"              label, segments    with labels: 1, 0, null; seconds
    url        with links                      frames      with frames: {clip: JPEG in base64}
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.cohort.identity import video_id_of
from ah_ray.config import Reduction, Windows
from ah_ray.results.redaction import redacted
from ah_ray.results.reducers import NO, YES
from ah_ray.results.row import STATUSES
from ah_ray.results.verdict import calibrated_clip
from ah_ray.study.report.links import link
from ah_ray.study.report.words import shown_score

VERDICT_COLUMNS = (
    "video_id", "uri", "status", "error_kind", "error", "duration_s", "n_clips", "n_failed_clips",
    "has_audio", "sound_is_silent", "picture_is_still", "p_ah", "answer",
)  # fmt: skip
CLIP_COLUMNS = ("video_id", "clip_index", "start_s", "end_s", "p_ah", "answer", "error_kind")
_LETTERS = {YES: "Y", NO: "N", None: ""}
_SAME_S = 0.005


def shown_videos(verdicts: pa.Table, most: int) -> pa.Table:
    """All of them, or the `most` with the highest p_ah, in the order of video_id."""
    if len(verdicts) <= most:
        return verdicts
    surest = pc.sort_indices(verdicts, sort_keys=[("p_ah", "descending")]).slice(0, most)
    return verdicts.take(pc.take(surest, pc.sort_indices(surest)))


def calibrated(clips: pa.Table, reduction: Reduction) -> pa.Table:
    """Rows of records.CLIPS with their p_ah on the scale of their video's, where that is scaled."""
    if reduction.scaling is None:
        return clips
    p_ah = [p if p is None else calibrated_clip(p, reduction) for p in clips["p_ah"].to_pylist()]
    column = clips.schema.get_field_index("p_ah")
    return clips.set_column(column, clips.schema.field(column), pa.array(p_ah, pa.float64()))


def columns(
    verdicts: pa.Table,
    clips: pa.Table,
    *,
    threshold: float = 0.5,
    clip_threshold: float = 0.5,
    windows: Windows | None = None,
    links: bool = False,
    id_key: bytes | None = None,
    labels: Mapping[str, dict] | None = None,
    frames: Mapping[str, Mapping[int, str]] | None = None,
) -> dict[str, Any]:
    """Of these rows of records.VERDICTS, and the rows of records.CLIPS that belong to them.

    The thresholds are those that the page tells, `windows` the regular ones, `labels` rows of
    LABELLED_VIDEOS by video_id, `frames` JPEGs in base64 by video_id and clip_index.
    """
    windows = windows or Windows()
    rows = verdicts.select(VERDICT_COLUMNS).to_pylist()
    timelines = _timelines(clips, verdicts["video_id"])
    kinds = _kinds(verdicts, clips)
    each = [
        _video(row, timelines.get(row["video_id"], []), windows, kinds, links=links, id_key=id_key)
        | _scores(row, timelines.get(row["video_id"], []), threshold, clip_threshold)
        for row in rows
    ]
    found: dict[str, Any] = (
        {name: [video[name] for video in each] for name in each[0]} if each else {}
    )
    if labels is not None:
        of = [labels.get(row["video_id"]) for row in rows]
        found["label"] = [video and video["label"] for video in of]
        found["segments"] = [_segments(video) for video in of]
    if frames is not None:
        found["frames"] = [frames.get(row["video_id"], {}) for row in rows]
    return {
        "kinds": list(kinds),
        "statuses": list(STATUSES),
        "window_s": windows.window_s,
        "hop_s": windows.hop_s,
        "videos": found,
    }


def _timelines(clips: pa.Table, video_ids: pa.ChunkedArray) -> dict[str, list[dict]]:
    of_these = clips.select(CLIP_COLUMNS).filter(
        pc.is_in(clips["video_id"], value_set=video_ids.combine_chunks())
    )
    rows = of_these.to_pylist()  # sorted by video_id and clip_index
    return {video_id: list(some) for video_id, some in groupby(rows, itemgetter("video_id"))}


def _kinds(verdicts: pa.Table, clips: pa.Table) -> dict[str, int]:
    """Each error_kind that occurs, and its place."""
    found = {
        *verdicts["error_kind"].unique().to_pylist(),
        *clips["error_kind"].unique().to_pylist(),
    }
    return {kind: place for place, kind in enumerate(sorted(found - {None}))}


def _video(
    row: dict,
    clips: list[dict],
    windows: Windows,
    kinds: Mapping[str, int],
    *,
    links: bool,
    id_key: bytes | None,
) -> dict[str, Any]:
    error = row["error"]
    if error and row["uri"] and not links:
        error = redacted(error, row["uri"])
    video = {
        "id": row["video_id"] if id_key is None else video_id_of(row["video_id"], id_key),
        "answer": _LETTERS[row["answer"]],
        "status": STATUSES.index(row["status"]),
        "kind": kinds.get(row["error_kind"]),
        "error": error,
        "duration_s": _seconds(row["duration_s"]),
        "n_clips": row["n_clips"],
        "n_failed": row["n_failed_clips"],
        "remarks": _remarks(row),
        "said": "".join(_LETTERS[clip["answer"]] or "." for clip in clips),
        "end_s": _seconds(clips[-1]["end_s"]) if clips else None,
        "spans": None if _are_regular(clips, windows) else _spans(clips),
        "failed": [
            [place, kinds[clip["error_kind"]]]
            for place, clip in enumerate(clips)
            if clip["error_kind"] is not None
        ],
    }
    return video | {"url": row["uri"] and link(row["uri"])} if links else video


def _scores(
    row: dict, clips: list[dict], threshold: float, clip_threshold: float
) -> dict[str, Any]:
    return {
        "p": _thousandths(row["p_ah"], threshold),
        "p_clips": [_thousandths(clip["p_ah"], clip_threshold) for clip in clips],
    }


def _are_regular(clips: list[dict], windows: Windows) -> bool:
    """Whether each begins at its index · hop_s, and ends window_s later or with the last."""
    last_s = clips[-1]["end_s"] if clips else 0.0
    return all(
        abs(clip["start_s"] - place * windows.hop_s) < _SAME_S
        and abs(clip["end_s"] - min(clip["start_s"] + windows.window_s, last_s)) < _SAME_S
        for place, clip in enumerate(clips)
    )


def _spans(clips: list[dict]) -> list[list[float]]:
    return [[_seconds(clip["start_s"]), _seconds(clip["end_s"])] for clip in clips]


def _segments(video: dict | None) -> list[list[float]]:
    marked = (video and video["segments"]) or []
    return [[_seconds(each["start_s"]), _seconds(each["end_s"])] for each in marked]


def _remarks(row: dict) -> list[str]:
    remarks = []
    if row["has_audio"] is False:
        remarks.append("no sound")
    elif row["sound_is_silent"]:
        remarks.append("silent")
    if row["picture_is_still"]:
        remarks.append("still picture")
    return remarks


def _thousandths(p: float | None, threshold: float) -> float | None:
    if p is None:
        return None
    shown = shown_score(p, threshold)
    whole = round(1000 * shown)
    return whole if whole / 1000 == shown else 1000 * shown


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
