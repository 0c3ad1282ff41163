"""Rows and outputs of invented videos, made by the project's own code, with no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from ah_ray import cohort
from ah_ray.config import Arithmetic, Reduction, Scoring, Windows
from ah_ray.errors import ErrorKind
from ah_ray.output.config import claim_output
from ah_ray.output.row import Provenance, verdict_row
from ah_ray.output.row_files import commit_row
from ah_ray.output.tables import write_tables
from ah_ray.profile import Profile, load_profile
from ah_ray.records import (
    FROM_MANIFEST,
    VERDICT,
    AnswerScore,
    ClipScore,
    ContrastScore,
    Scored,
    Video,
    VideoFacts,
)
from ah_ray.verdicts.contrast import measure_contrast

SCORED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Probabilities = Sequence[float | ErrorKind]
"""One for each clip of 5 s: its P(A/H), or why it has none."""


def scoring(model: str = "model-a", **changes) -> Scoring:
    fields = {
        "model": model,
        "model_fingerprint": f"print-of-{model}",
        "profile": load_profile("tiny"),
        "windows": Windows(),
        "arithmetic": Arithmetic.FLOAT32,
    }
    return Scoring(**fields | changes)


TONES = ("positive", "neutral", "negative")


EFFORT = {"text": " the effort?", "answers": ("easy", "fair", "hard"), "scale": (1, 2, 4)}


def why_profile(more: Mapping[str, Mapping[str, object]] | None = None) -> Profile:
    """The tiny profile with further questions of picture, sound and both, and `more` of them."""
    questions = {
        "ah": None,
        "face": {"text": " the face?", "answers": TONES, "sees": "picture", "reducer": "any"},
        "voice": {"text": " the voice?", "answers": TONES, "sees": "sound"},
        "seen": {"text": " one face?", "positive": "Yes"},
        **(more or {}),
    }
    fields = load_profile("tiny").model_dump(by_alias=True) | {"name": "why"}
    contrasts = {"face-voice": ("face", "voice")}
    return Profile(**fields | {"questions": questions, "contrasts": contrasts})


Answered = Mapping[str, Sequence[Sequence[float]]]
"""Of questions about one video: the probabilities of the answers, clip by clip."""


def with_answers(score: ClipScore, profile: Profile, given: Answered | None = None) -> ClipScore:
    """The same with answers to all questions of a profile that asks several."""
    asked = profile.complete_questions
    if len(asked) == 1 or score.p_ah is None:
        return score
    p: dict[str, list[float]] = {asked[0].name: [score.p_ah, 1 - score.p_ah]}
    for number, question in enumerate(asked[1:]):
        weights = [(score.clip_index + number + n) % 4 + 1 for n in range(len(question.answers))]
        p[question.name] = [weight / sum(weights) for weight in weights]
    p |= {name: list(clips[score.clip_index]) for name, clips in (given or {}).items()}
    answers = [
        AnswerScore(question=one.name, answer=answer, p=of_answer, mass=0.9)
        for one in asked
        for answer, of_answer in zip(one.answers, p[one.name], strict=True)
    ]
    contrasts = [
        ContrastScore(
            contrast=one.name, distance=measure_contrast(*(p[name] for name in one.between))
        )
        for one in profile.contrasts
    ]
    return replace(score, answers=answers, contrasts=contrasts)


def clip(index: int, p_ah: float | ErrorKind, length_s: float = 5.0, **fields) -> ClipScore:
    good = not isinstance(p_ah, ErrorKind)
    made = {
        "clip_index": index,
        "start_s": 5.0 * index,
        "end_s": 5.0 * index + length_s,
        "p_ah": p_ah if good else None,
        "answer_mass": 0.9 if good else None,
        "format_mass": 0.8 if good else None,
        "n_frames": 10 if good else 0,
        "score_s": 0.25 if good else 0.0,
        "error_kind": None if good else p_ah,
        "error": None if good else f"clip {index} broke",
    }
    return ClipScore(**made | fields)


def scored(
    video_id: str,
    p_ah: Probabilities | ErrorKind,
    *,
    etag: str | None = "etag-1",
    attempts: int = 0,
    error: str = "it broke",
    uri: str | None = None,
) -> Scored:
    """A video with these clips; an ErrorKind in their place makes one that has none."""
    whole = isinstance(p_ah, ErrorKind)
    clips = [] if whole else [clip(index, p) for index, p in enumerate(p_ah)]
    facts = VideoFacts(
        n_clips=len(clips),
        duration_s=None if whole else 5.0 * len(clips),
        fps=None if whole else 25.0,
        width_px=None if whole else 640,
        height_px=None if whole else 480,
        has_audio=None if whole else True,
        decode_s=0.5,
        error_kind=p_ah if whole else None,
        error=error if whole else None,
    )
    video = Video(
        video_id=video_id,
        uri=uri or f"/cohort/{video_id}.mp4",
        etag=etag,
        size_bytes=1_000,
        last_modified=SCORED_AT,
        attempts=attempts,
    )
    return Scored(video=video, facts=facts, clips=clips)


def row(
    video_id: str,
    p_ah: Probabilities | ErrorKind,
    *,
    by: Scoring | None = None,
    reduction: Reduction | None = None,
    run_id: str = "run-1",
    hide_uris: bool = False,
    scored_at: datetime = SCORED_AT,
    answered: Mapping[str, Answered] | None = None,
    **fields,
) -> dict:
    by = by or scoring()
    whole = scored(video_id, p_ah, **fields)
    given = (answered or {}).get(video_id)
    whole.clips = [with_answers(one, by.profile, given) for one in whole.clips]
    return verdict_row(
        whole,
        reduction=reduction or Reduction(),
        scoring=by,
        provenance=Provenance(
            run_id=run_id, ah_ray_version="0.1", ffmpeg_version="7.1", hide_uris=hide_uris
        ),
        scored_at=scored_at,
    )


def from_manifest(said: Mapping[str, Mapping[str, object]]) -> pa.Table:
    """What a manifest says: video_id → participant, visit, question, groups."""
    columns = pa.schema([VERDICT.field(name) for name in ("video_id", *FROM_MANIFEST)])
    rows = [{"video_id": video_id, **columns} for video_id, columns in said.items()]
    return pa.Table.from_pylist(rows, schema=columns)


def name_of(row: dict) -> str:
    return cohort.row_name(row["video_id"], row["etag"], row["config_fingerprint"])


def make_output(
    out: str,
    videos: Mapping[str, Probabilities | ErrorKind],
    *,
    by: Scoring | None = None,
    said: Mapping[str, Mapping[str, object]] | None = None,
    **fields,
) -> list[dict]:
    """A finished output with these videos, as a run leaves it. Returns its rows.

    `said` is what the manifest says of them, `answered` their answers to questions.
    """
    by = by or scoring()
    hidden = fields.get("hide_uris", False)
    claim_output(out, by, fields.get("reduction") or Reduction(), hide_uris=hidden)
    rows = [row(video_id, p_ah, by=by, **fields) for video_id, p_ah in videos.items()]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda made: commit_row(out, made, stale=()), rows))
    write_tables(out, map(name_of, rows), from_manifest=said and from_manifest(said))
    return rows
