"""Judged clips and videos as the two tables of a labelled manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ah_ray.cohort.participant_names import pseudonym
from ah_ray.records import Video
from ah_ray.study.evaluation.figures.timeline import union
from ah_ray.study.labelled_manifest import CUES, LABELLED_VIDEOS, WINDOWS
from ah_ray.study.prepare.balance import WindowRow
from ah_ray.study.review.judged_clips import SAME_S, JudgedClip
from ah_ray.study.review.people import People
from ah_ray.study.review.selected import StrataOfSheets

Row = dict[str, Any]
_REVIEWER = "reviewer"


def label_tables(
    clips: Sequence[JudgedClip],
    rows: Mapping[str, Row],
    videos: Mapping[str, Video],
    people: People,
    id_key: bytes | None,
    strata: StrataOfSheets,
) -> tuple[pa.Table, pa.Table]:
    """Return WINDOWS and LABELLED_VIDEOS of clips that have a majority.

    `rows` are those of the output, `videos` says where they are now; both by video_id.
    """
    by_video: dict[str, list[JudgedClip]] = {}
    for clip in clips:
        by_video.setdefault(clip.video_id, []).append(clip)
    names = _reviewers(clips, id_key)
    labels = {
        video_id: _label(its_clips, rows[video_id]) for video_id, its_clips in by_video.items()
    }
    selection = strata.selection(
        {video_id: label["label"] for video_id, label in labels.items()},
        {video_id for video_id, its in by_video.items() if _is_drawn(its, rows[video_id])},
    )
    windows, labelled = [], []
    for video_id, its_clips in sorted(by_video.items()):
        who, row = people.participant[video_id], rows[video_id]
        same: Row = {
            "uri": videos[video_id].uri,
            "video_id": video_id,
            "participant_id": pseudonym(who, id_key) if people.needs_pseudonyms else who,
            "split": people.split[who],
        }
        windows += [
            asdict(WindowRow(**same, window_index=index, **window))
            for index, window in enumerate(_windows(its_clips, row))
        ]
        chosen, weight = selection[video_id]
        labelled.append(
            {
                **same,
                **labels[video_id],
                "duration_s": row["duration_s"],
                "selection": chosen,
                "weight": weight,
                **_annotations(its_clips, row, names),
            }
        )
    return (
        pa.Table.from_pylist(windows, WINDOWS),
        pa.Table.from_pylist(labelled, LABELLED_VIDEOS),
    )


def is_whole(clip: JudgedClip, row: Row) -> bool:
    """Return whether the video was judged as a whole. `row` is that of the output."""
    if any(judged_at([clip], scored) for scored in row["clips"]) and len(row["clips"]) > 1:
        return False
    whole = clip.start_s < SAME_S and row["duration_s"] is not None
    return whole and abs(clip.end_s - row["duration_s"]) < SAME_S


def judged_at(clips: Sequence[JudgedClip], scored: Row) -> JudgedClip | None:
    """Return the judged clip that has the times of a scored one; None if it was not judged."""
    for clip in clips:
        if max(abs(clip.start_s - scored["start_s"]), abs(clip.end_s - scored["end_s"])) < SAME_S:
            return clip
    return None


def _is_drawn(clips: Sequence[JudgedClip], row: Row) -> bool:
    return any(is_whole(clip, row) for clip in clips)


def _label(clips: Sequence[JudgedClip], row: Row) -> Row:
    """Return label and segments of a video, as far as its judged clips tell."""
    parts = [clip for clip in clips if not is_whole(clip, row)]
    yes = [(clip.start_s, clip.end_s) for clip in parts if clip.yes]
    seen = all(judged_at(parts, scored) is not None for scored in row["clips"])
    segments = [{"start_s": start_s, "end_s": end_s} for start_s, end_s in union(yes)]
    for clip in clips:
        if is_whole(clip, row):
            return {"label": int(bool(clip.yes)), "segments": segments if seen else []}
    if not seen:
        return {"label": 1 if yes else None, "segments": []}
    return {"label": int(bool(yes)), "segments": segments}


def _windows(clips: Sequence[JudgedClip], row: Row) -> Iterator[Row]:
    """Yield the labelled windows of a video.

    Where a whole video is not A/H, none of its clips is. Where it is, nobody said when.
    """
    for clip in clips:
        if not is_whole(clip, row):
            yield _window(clip.start_s, clip.end_s, bool(clip.yes))
        elif not clip.yes:
            for scored in row["clips"]:
                if judged_at([one for one in clips if one is not clip], scored) is None:
                    yield _window(scored["start_s"], scored["end_s"], False)


def _window(start_s: float, end_s: float, yes: bool) -> Row:
    return {"start_s": start_s, "end_s": end_s, "label": int(yes), "question": None}


def _reviewers(clips: Sequence[JudgedClip], id_key: bytes | None) -> dict[str, str]:
    """Return what reviewers are called in the labels: by pseudonym, or by number without a key."""
    names = sorted({one.reviewer for clip in clips for one in clip.given})
    if id_key is None:
        return {name: f"{_REVIEWER} {number}" for number, name in enumerate(names, 1)}
    return {name: pseudonym(f"{_REVIEWER}\0{name}", id_key) for name in names}


def _annotations(clips: Sequence[JudgedClip], row: Row, names: Mapping[str, str]) -> Row:
    """Return who judged a video, how certain they were, and what they saw it by."""
    given = [one for clip in clips for one in clip.given]
    whole = [one for clip in clips if is_whole(clip, row) for one in clip.given]
    found = {cue for one in given for cue in one.cues}
    certainty = whole[0].certainty if len(whole) == 1 else None
    return {
        "annotators": sorted({names[one.reviewer] for one in given}),
        "certainty": certainty and certainty.value,
        "cues": [cue for cue in CUES if cue in found],
        "marks": [
            {
                "annotator": names[one.reviewer],
                "start_s": one.start_s,
                "end_s": one.end_s,
                "certainty": one.certainty and one.certainty.value,
                "cues": [{"cue": cue, "text": None} for cue in one.cues],
            }
            for one in given
            if one.yes
        ],
    }
