"""The table of videos and their timelines, as the page's script reads them. Pure.

Each field is a list with one place per video, so that ten thousand videos need about a megabyte:

    id            as shown on the page
    p, p_clips    scores in thousandths; whole numbers, unless the threshold is nearer; null where
                  not scored
    answer        "Y", "N", or "" without one
    clip_answers  those of its clips in one text: "YN.", where a dot is not scored
    status, kind  places in `statuses` and `kinds`; kind may be null
    error         why it was not scored, without names
    failed        [[clip, place in `kinds`], …]
    end_s         end of the last clip
    spans         [[start_s, end_s], …] of the clips if they are not regular (hop_s, window_s)
    remarks       such as "no sound"
    duration_s, n_clips, n_failed
    label, segments                       with labels: 1, 0 or null; seconds
    url                                   with links
    frames                                with frames: {clip: JPEG in base64}
    participant, visit, question, at      with participants: see people.py
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray.cohort.identity import video_id_of
from ah_ray.config import Windows
from ah_ray.output.redaction import redact_name
from ah_ray.output.row import STATUSES
from ah_ray.profile import NO, YES
from ah_ray.remarks import describe_quality
from ah_ray.study.links import recording_url
from ah_ray.study.report.wording import round_score
from ah_ray.verdicts.reduction import Reduction
from ah_ray.verdicts.verdict import calibrate_clip

VERDICT_COLUMNS = (
    "video_id", "uri", "status", "error_kind", "error", "duration_s", "n_clips", "n_failed_clips",
    "has_audio", "sound_is_silent", "picture_is_still", "unscored_sound_s", "remarks", "p_ah",
    "answer",
)  # fmt: skip
CLIP_COLUMNS = ("video_id", "clip_index", "start_s", "end_s", "p_ah", "answer", "error_kind")
Row = dict[str, Any]
_LETTERS = {YES: "Y", NO: "N", None: ""}
_SAME_S = 0.005


def select_videos(verdicts: pa.Table, most: int) -> pa.Table:
    """Return all rows, or the `most` with the highest p_ah, in the order of video_id."""
    if len(verdicts) <= most:
        return verdicts
    surest = pc.sort_indices(verdicts, sort_keys=[("p_ah", "descending")]).slice(0, most)
    return verdicts.take(pc.take(surest, pc.sort_indices(surest)))


def calibrate_clips(clips: pa.Table, reduction: Reduction) -> pa.Table:
    """Return rows of records.CLIPS with p_ah scaled by the calibration of their videos, if any."""
    if reduction.scaling is None and reduction.clip_scaling is None:
        return clips
    p_ah = [p if p is None else calibrate_clip(p, reduction) for p in clips["p_ah"].to_pylist()]
    column = clips.schema.get_field_index("p_ah")
    return clips.set_column(column, clips.schema.field(column), pa.array(p_ah, pa.float64()))


def make_columns(
    verdicts: pa.Table,
    clips: pa.Table,
    *,
    threshold: float = 0.5,
    clip_threshold: float = 0.5,
    windows: Windows | None = None,
    links: bool = False,
    id_key: bytes | None = None,
    labels: Mapping[str, Row] | None = None,
    frames: Mapping[str, Mapping[int, str]] | None = None,
) -> dict[str, Any]:
    """Return the columns of these rows of records.VERDICTS and their rows of records.CLIPS.

    The thresholds are those shown on the page. `windows` are the regular ones, `labels` rows of
    LABELLED_VIDEOS by video_id, and `frames` JPEGs in base64 by video_id and clip_index.
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
        labelled = [labels.get(row["video_id"]) for row in rows]
        found["label"] = [video and video["label"] for video in labelled]
        found["segments"] = [_segments(video) for video in labelled]
    if frames is not None:
        found["frames"] = [frames.get(row["video_id"], {}) for row in rows]
    return {
        "kinds": list(kinds),
        "statuses": list(STATUSES),
        "window_s": windows.window_s,
        "hop_s": windows.hop_s,
        "videos": found,
    }


def _timelines(clips: pa.Table, video_ids: pa.ChunkedArray) -> dict[str, list[Row]]:
    these = clips.select(CLIP_COLUMNS).filter(
        pc.is_in(clips["video_id"], value_set=video_ids.combine_chunks())
    )
    rows = these.to_pylist()  # sorted by video_id and clip_index
    return {video_id: list(some) for video_id, some in groupby(rows, itemgetter("video_id"))}


def _kinds(verdicts: pa.Table, clips: pa.Table) -> dict[str, int]:
    """Return each error_kind that occurs, and its place in the list."""
    found = {
        *verdicts["error_kind"].unique().to_pylist(),
        *clips["error_kind"].unique().to_pylist(),
    }
    return {kind: place for place, kind in enumerate(sorted(found - {None}))}


def _video(
    row: Row,
    clips: list[Row],
    windows: Windows,
    kinds: Mapping[str, int],
    *,
    links: bool,
    id_key: bytes | None,
) -> dict[str, Any]:
    error = row["error"]
    if error and row["uri"] and not links:
        error = redact_name(error, row["uri"])
    video = {
        "id": row["video_id"] if id_key is None else video_id_of(row["video_id"], id_key),
        "answer": _LETTERS[row["answer"]],
        "status": STATUSES.index(row["status"]),
        "kind": kinds.get(row["error_kind"]),
        "error": error,
        "duration_s": _seconds(row["duration_s"]),
        "n_clips": row["n_clips"],
        "n_failed": row["n_failed_clips"],
        "remarks": list(describe_quality(row)),
        "clip_answers": "".join(_LETTERS[clip["answer"]] or "." for clip in clips),
        "end_s": _seconds(clips[-1]["end_s"]) if clips else None,
        "spans": None if _are_regular(clips, windows) else _spans(clips),
        "failed": [
            [place, kinds[clip["error_kind"]]]
            for place, clip in enumerate(clips)
            if clip["error_kind"] is not None
        ],
    }
    return video | {"url": row["uri"] and recording_url(row["uri"])} if links else video


def _scores(row: Row, clips: list[Row], threshold: float, clip_threshold: float) -> dict[str, Any]:
    return {
        "p": _thousandths(row["p_ah"], threshold),
        "p_clips": [_thousandths(clip["p_ah"], clip_threshold) for clip in clips],
    }


def _are_regular(clips: list[Row], windows: Windows) -> bool:
    """Return whether each clip starts at index · hop_s and ends window_s later or with the last."""
    if any(clip["start_s"] is None or clip["end_s"] is None for clip in clips):
        return False
    last_s = clips[-1]["end_s"] if clips else 0.0
    return all(
        abs(clip["start_s"] - place * windows.hop_s) < _SAME_S
        and abs(clip["end_s"] - min(clip["start_s"] + windows.window_s, last_s)) < _SAME_S
        for place, clip in enumerate(clips)
    )


def _spans(clips: list[Row]) -> list[list[float | None]]:
    return [[_seconds(clip["start_s"]), _seconds(clip["end_s"])] for clip in clips]


def _segments(video: Row | None) -> list[list[float | None]]:
    marked = (video and video["segments"]) or []
    return [[_seconds(each["start_s"]), _seconds(each["end_s"])] for each in marked]


def _thousandths(p: float | None, threshold: float) -> float | None:
    if p is None:
        return None
    shown = round_score(p, threshold)
    whole = round(1000 * shown)
    return whole if whole / 1000 == shown else 1000 * shown


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
