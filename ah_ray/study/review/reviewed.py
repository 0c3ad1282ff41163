"""Reviewers' answers as a labelled manifest, which training and evaluation read (labels.py).

    sheets ─▶ answers ─▶ majority of each clip ─▶ windows.parquet, one row a clip
                                              └▶ videos.parquet, as far as they are known

A video with a Yes in it is A/H. One is not A/H only if all its clips were judged, and all are No:
of one that was seen in part, the rest is not known, so it has no label as a whole. For the same
reason only videos that were judged throughout say where in them A/H is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from ah_ray import storage
from ah_ray.cohort.id_key import read_id_key
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.records import Video
from ah_ray.study.evaluation.scored_output import read_output
from ah_ray.study.evaluation.timeline import union
from ah_ray.study.faults import Fault, Faults
from ah_ray.study.labels import (
    LABELLED_VIDEOS,
    WINDOWS,
    fingerprint,
    read_about,
    write_labels,
)
from ah_ray.study.participants import pseudonym
from ah_ray.study.prepare.balance import WindowRow
from ah_ray.study.prepare.prepared import describe
from ah_ray.study.review.judged_clips import SAME_S, Agreement, JudgedClip, agreement, judged_clips
from ah_ray.study.review.located import places_of
from ah_ray.study.review.people import People, people_of
from ah_ray.study.review.settings import AnswerSettings
from ah_ray.study.review.sheet import Answer, content_of, read_answers

_SLACK_S = 0.5  # a clip may end so far after its video does
TIES, FAULTY = "ties", "faulty videos"
_AGREEMENT = "agreement"  # in prepared.json: only answers of reviewers have it
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What was written, and what reviewers make of the model's answers."""

    out: str
    about: Row  # prepared.json
    clips: tuple[JudgedClip, ...]
    agreement: Agreement
    by_model: Counter[tuple[str, str]]  # (the model's answer, the reviewers') → clips
    has_people: bool  # False: each video counts as a participant of its own
    skipped: tuple[Fault, ...]


def take_back(settings: AnswerSettings) -> Taken:
    """Reads sheets, writes the labelled manifest.

    Raises FaultyInput with all that is wrong in the sheets, ConfigError for what is wrong besides,
    StorageError.
    """
    out = storage.normalise(settings.labels_out)
    _check_replaceable(out)
    id_key, faults = read_id_key(settings.id_key), Faults()
    answers = read_answers(settings.answers, faults)
    if not answers:
        faults.raise_any(skip_faulty=False)
        raise ConfigError("there is no answer in these sheets: write Yes or No into `answer`")
    storage.check_writable(out)
    rows = read_output(settings.out, {one.video_id for one in answers}).rows
    videos = places_of(_scored(rows), settings.videos, settings.id_key)
    _check(answers, rows, videos, faults)
    people = people_of(answers, settings, faults)
    clips = judged_clips(answers, faults)
    faults.raise_any(skip_faulty=settings.skip_faulty)
    clips = [clip for clip in clips if not faults.concern(clip.video_id)]
    decided = [clip for clip in clips if clip.yes is not None]
    if not decided:
        raise ConfigError("no clip is left that has a majority: nothing was written")
    left_out = Counter({TIES: len(clips) - len(decided), FAULTY: len(faults.videos)})
    tables = _tables(decided, rows, videos, people, id_key)
    agreed = agreement(clips)
    about = {
        "ah_ray_version": version("ah_ray"),
        "data_fingerprint": fingerprint(*tables),
        **describe(*tables, left_out),
        "ids_of": settings.videos,
        "pseudonyms": people.is_known and not settings.plain_participants,
        "videos_without_label": tables[1]["label"].null_count,
        _AGREEMENT: _about(agreed),
        "settings": settings.model_dump(mode="json", exclude={"labels_out", "id_key", "answers"}),
    }
    write_labels(out, *tables, about)
    return Taken(
        out=out,
        about=about,
        clips=tuple(clips),
        agreement=agreed,
        by_model=_by_model(decided, rows),
        has_people=people.is_known,
        skipped=tuple(faults.sorted()),
    )


def _check_replaceable(out: str) -> None:
    """Raises ConfigError unless nothing is there, or what answers became before."""
    try:
        holds_files = any(storage.list_pages(out))
        about = read_about(out) if holds_files else {}
    except ObjectMissing:
        return
    except ConfigError:  # no labelled manifest, or a damaged one: not ours to replace
        about = {}
    if holds_files and _AGREEMENT not in about:
        raise ConfigError(
            f"--labels-out {out} holds files that are not from answers taken back: choose another "
            "folder, or empty that one"
        )


def _scored(rows: Mapping[str, Row]) -> dict[str, Video]:
    names = ("video_id", "uri", "etag", "size_bytes", "last_modified")
    return {
        video_id: Video(**{name: row[name] for name in names}) for video_id, row in rows.items()
    }


def _check(
    answers: Sequence[Answer], rows: Mapping[str, Row], videos: Mapping[str, Video], faults: Faults
) -> None:
    """That every answer is about a video of the output, and about what it holds now."""
    for one in answers:
        row, video = rows.get(one.video_id), videos.get(one.video_id)
        if row is None:
            problem, mend = f"video {one.video_id} is not in OUT", "give the OUT that was cut from"
        elif one.content not in (None, content_of(row["etag"] or "")):
            problem = f"video {one.video_id} was scored anew since it was cut, with other content"
            mend = "cut it again, and ask again"
        elif row["duration_s"] is None or one.end_s > row["duration_s"] + _SLACK_S:
            problem = f"{one.start_s:g} – {one.end_s:g} s is outside video {one.video_id}"
            mend = "leave start_s and end_s as they were"
        elif video.problem is not None:
            problem, mend = f"video {one.video_id}: {video.problem}", "give --videos that has it"
        else:
            continue
        faults.add(one.place, problem, mend, video=one.video_id)


def _tables(
    clips: Sequence[JudgedClip],
    rows: Mapping[str, Row],
    videos: Mapping[str, Video],
    people: People,
    id_key: bytes | None,
) -> tuple[pa.Table, pa.Table]:
    by_video: dict[str, list[JudgedClip]] = {}
    for clip in clips:
        by_video.setdefault(clip.video_id, []).append(clip)
    windows, labelled = [], []
    for video_id, its_clips in sorted(by_video.items()):
        who = people.participant[video_id]
        same = {
            "uri": videos[video_id].uri,
            "video_id": video_id,
            "participant_id": pseudonym(who, id_key) if people.is_known else who,
            "split": people.split[who],
        }
        windows += [
            asdict(
                WindowRow(
                    **same,
                    window_index=index,
                    start_s=clip.start_s,
                    end_s=clip.end_s,
                    label=int(bool(clip.yes)),
                    question=None,
                )
            )
            for index, clip in enumerate(its_clips)
        ]
        known = _whole(its_clips, rows[video_id])
        labelled.append({**same, **known, "duration_s": rows[video_id]["duration_s"]})
    return (
        pa.Table.from_pylist(windows, WINDOWS),
        pa.Table.from_pylist(labelled, LABELLED_VIDEOS),
    )


def _whole(clips: Sequence[JudgedClip], row: Row) -> Row:
    """Label and segments of a video, as far as its clips tell."""
    yes = [(clip.start_s, clip.end_s) for clip in clips if clip.yes]
    if any(_judged(clips, scored) is None for scored in row["clips"]):
        return {"label": 1 if yes else None, "segments": []}
    segments = [{"start_s": start_s, "end_s": end_s} for start_s, end_s in union(yes)]
    return {"label": int(bool(yes)), "segments": segments}


def _judged(clips: Sequence[JudgedClip], scored: Row) -> JudgedClip | None:
    """What reviewers say of a clip as it was scored."""
    for clip in clips:
        if max(abs(clip.start_s - scored["start_s"]), abs(clip.end_s - scored["end_s"])) < SAME_S:
            return clip
    return None


def _by_model(clips: Sequence[JudgedClip], rows: Mapping[str, Row]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for clip in clips:
        for scored in rows[clip.video_id]["clips"]:
            if scored["answer"] is not None and _judged([clip], scored):
                counts[scored["answer"], "Yes" if clip.yes else "No"] += 1
    return counts


def _about(agreed: Agreement) -> Row:
    """Without the reviewers' names."""
    return {
        "reviewers": len(agreed.reviewers),
        "clips_of_several": agreed.n_shared,
        "unanimous": agreed.n_unanimous,
        "ties": agreed.n_ties,
        "cohens_kappa": [pair.kappa for pair in agreed.pairs],
        "fleiss_kappa": agreed.fleiss,
    }
