"""Reviewers' answers as a labelled manifest, which training and evaluation read.

    sheets ─▶ answers ─▶ majority of each clip ─▶ windows.parquet, one row a clip
                                              └▶ videos.parquet, one row a video

A video that was judged as a whole has that label. Of one whose clips were judged, a Yes makes it
A/H, and it is not A/H only if all its clips were judged and all are No: where it was seen in part,
the rest is not known, so it has no label as a whole. For the same reason only videos that were
judged throughout say where in them A/H is. How videos came to be judged stays with their labels:
selected.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.cohort.id_key import read_id_key
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.installation import ah_ray_version
from ah_ray.profile import answer_word
from ah_ray.records import Video
from ah_ray.study.evaluation.figures.estimate import Estimate
from ah_ray.study.evaluation.scored_output import read_output
from ah_ray.study.label_errors import Fault, Faults
from ah_ray.study.labelled_manifest import REVIEW, fingerprint, read_about, write_labels
from ah_ray.study.prepare.prepared import describe
from ah_ray.study.review.judged_clips import Agreement, JudgedClip, agreement, judged_clips
from ah_ray.study.review.label_tables import Row, is_whole, judged_at, label_tables
from ah_ray.study.review.located import places_of
from ah_ray.study.review.people import people_of
from ah_ray.study.review.selected import read_strata
from ah_ray.study.review.settings import AnswerSettings
from ah_ray.study.review.sheet import Answer, content_of, read_answers

_SLACK_S = 0.5  # a clip may end so far after its video does
TIES, FAULTY = "ties", "faulty videos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The labels that were written, and how reviewers' answers compare with the model's."""

    out: str
    about: Row  # prepared.json
    clips: tuple[JudgedClip, ...]
    agreement: Agreement
    by_model: Counter[tuple[str, str]]  # (the model's answer, the reviewers') → clips
    has_people: bool  # False: each video counts as a participant of its own
    drawn_clips: (
        dict[str, Estimate] | None
    )  # of clips drawn at random: how often the model is right
    skipped: tuple[Fault, ...]


def take_back(settings: AnswerSettings) -> Taken:
    """Read sheets and write the labelled manifest.

    Raise FaultyInput with everything that is wrong in the sheets, ConfigError for other mistakes,
    and StorageError.
    """
    out = storage.normalise(settings.labels_out)
    _check_replaceable(out)
    id_key, faults = read_id_key(settings.id_key), Faults()
    found = read_answers(settings.answers, faults)
    answers = [one for one in found.answers if one.yes is not None]
    if not answers:
        faults.raise_any(skip_faulty=False)
        raise ConfigError("there is no answer in these sheets: write Yes or No into `answer`")
    storage.check_writable(out)
    output = read_output(settings.out, {one.video_id for one in answers})
    rows = output.rows
    videos = places_of(_scored(rows), settings.videos, settings.id_key)
    _check(answers, rows, videos, faults)
    strata = read_strata(settings.out, answers, faults)
    people = people_of(
        answers,
        settings,
        faults,
        of_rows={video_id: row["participant"] for video_id, row in rows.items()},
        hidden=output.config.hide_uris,
        all_in_test=strata.record is not None,
    )
    clips = judged_clips(answers, faults)
    faults.raise_any(skip_faulty=settings.skip_faulty)
    clips = [clip for clip in clips if not faults.concern(clip.video_id)]
    decided = [clip for clip in clips if clip.yes is not None]
    if not decided:
        raise ConfigError("no clip is left that has a majority: nothing was written")
    left_out = Counter({TIES: len(clips) - len(decided), FAULTY: len(faults.videos)})
    tables = label_tables(decided, rows, videos, people, id_key, strata)
    agreed = agreement(clips)
    about = {
        "ah_ray_version": ah_ray_version(),
        "data_fingerprint": fingerprint(*tables),
        **describe(*tables, left_out),
        "ids_of": settings.videos,
        "pseudonyms": people.are_pseudonyms
        or (people.is_known and not settings.plain_participants),
        "participants_known": people.is_known,
        "videos_without_label": tables[1]["label"].null_count,
        "answers": {
            "cannot_tell": found.n_cannot_tell,
            "seen_without_answer": found.n_seen,
            "not_seen": found.n_not_seen,
            "without_answer": found.n_unknown,  # of sheets that do not say whether it was seen
        },
        "draw": strata.describe(decided),
        REVIEW: _about(agreed),
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
        drawn_clips=strata.clip_figures(decided, rows),
        skipped=tuple(faults.sorted()),
    )


def _check_replaceable(out: str) -> None:
    """Raise ConfigError unless the folder is empty, or holds labels that were taken back."""
    try:
        holds_files = any(storage.list_pages(out))
        about = read_about(out) if holds_files else {}
    except ObjectMissing:
        return
    except ConfigError:  # no labelled manifest, or a damaged one: not ours to replace
        about = {}
    if holds_files and REVIEW not in about:
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
    """Check that every answer is about a video of the output, and about its content now."""
    for one in answers:
        row, video = rows.get(one.video_id), videos.get(one.video_id)
        if row is None:
            problem = f"video {one.video_id} is not in OUT"
            remedy = "give the OUT that was cut from"
        elif one.content not in (None, content_of(row["etag"] or "")):
            problem = f"video {one.video_id} was scored again since it was cut, with other content"
            remedy = "cut it again, and ask again"
        elif row["duration_s"] is None or one.end_s > row["duration_s"] + _SLACK_S:
            problem = f"{one.start_s:g} – {one.end_s:g} s is outside video {one.video_id}"
            remedy = "leave start_s and end_s as they were"
        elif video is not None and video.problem is not None:
            problem = f"video {one.video_id}: {video.problem}"
            remedy = "give --videos that has it"
        else:
            continue
        faults.add(one.place, problem, remedy, video=one.video_id)


def _by_model(clips: Sequence[JudgedClip], rows: Mapping[str, Row]) -> Counter[tuple[str, str]]:
    """Count (the model's answer, the reviewers') over clips, and over videos judged as a whole."""
    counts: Counter[tuple[str, str]] = Counter()
    for clip in clips:
        row = rows[clip.video_id]
        scored = [row] if is_whole(clip, row) else row["clips"]
        for one in scored:
            if one["answer"] is not None and (one is row or judged_at([clip], one)):
                counts[one["answer"], answer_word(bool(clip.yes))] += 1
    return counts


def _about(agreed: Agreement) -> Row:
    """Return the agreement for prepared.json, without the reviewers' names."""
    return {
        "reviewers": len(agreed.reviewers),
        "clips_of_several": agreed.n_shared,
        "unanimous": agreed.n_unanimous,
        "ties": agreed.n_ties,
        "cohens_kappa": [pair.kappa for pair in agreed.pairs],
        "fleiss_kappa": agreed.fleiss,
    }
