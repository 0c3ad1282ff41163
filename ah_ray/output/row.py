"""One video's row: its facts, its verdict, and their provenance. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from ah_ray.config import Scoring
from ah_ray.errors import ErrorKind
from ah_ray.escaping import escape_text
from ah_ray.output.redaction import redact_name
from ah_ray.records import FROM_MANIFEST, SCHEMA_VERSION, ClipScore, Scored
from ah_ray.verdicts.further_answers import reduce_asked
from ah_ray.verdicts.reduction import Reduction
from ah_ray.verdicts.verdict import Row, with_verdict

OK, PARTIAL, FAILED = "ok", "partial", "failed"
STATUSES = (OK, PARTIAL, FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What all rows of a run have in common, apart from its settings."""

    run_id: str
    ah_ray_version: str
    ffmpeg_version: str
    hide_uris: bool = False


def verdict_row(
    scored: Scored,
    *,
    reduction: Reduction,
    scoring: Scoring,
    provenance: Provenance,
    scored_at: datetime | None = None,
) -> Row:
    """Return one row of records.VERDICT. `scored_at` is now, unless it is given."""
    video, facts = scored.video, scored.facts
    kind, error = _first_error(scored)
    clips = [_clip(clip) for clip in scored.clips]
    _, *further = scoring.profile.complete_questions
    row = {
        "schema_version": SCHEMA_VERSION,
        "video_id": video.video_id,
        "uri": video.uri,
        **{name: getattr(video, name) for name in FROM_MANIFEST},
        "etag": video.etag,
        "size_bytes": video.size_bytes,
        "last_modified": video.last_modified,
        "status": _status(scored.clips),
        "error_kind": kind,
        "error": error and escape_text(" ".join(error.split())),
        "attempts": video.attempts + 1,
        "duration_s": facts.duration_s,
        "fps": facts.fps,
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "has_audio": facts.has_audio,
        "picture_is_still": facts.picture_is_still,
        "sound_is_silent": facts.sound_is_silent,
        "unscored_sound_s": facts.unscored_sound_s,
        "remarks": [remark.value for remark in facts.remarks],
        "n_clips": facts.n_clips,
        "n_failed_clips": sum(clip.p_ah is None for clip in scored.clips),
        "profile": scoring.profile.name,
        "model": scoring.model,
        "model_fingerprint": scoring.model_fingerprint,
        "config_fingerprint": scoring.fingerprint,
        "ah_ray_version": provenance.ah_ray_version,
        "ffmpeg_version": provenance.ffmpeg_version,
        "run_id": provenance.run_id,
        "scored_at": scored_at or datetime.now(UTC),
        "decode_s": facts.decode_s,
        "score_s": sum(clip.score_s for clip in scored.clips),
        "asked": reduce_asked(clips, {question.name: question.reducer for question in further}),
        "clips": clips,
    }
    row = with_verdict(row, reduction)
    return hide_names_in_row(row) if provenance.hide_uris else row


def _status(clips: Sequence[ClipScore]) -> str:
    if all(clip.p_ah is None for clip in clips):
        return FAILED
    return OK if all(clip.error_kind is None for clip in clips) else PARTIAL


def _first_error(scored: Scored) -> tuple[str | None, str | None]:
    """Return kind and message of the first failed clip, or of the video if it has no clips.

    A clip counts as failed here even if only one of several models failed.
    """
    for clip in scored.clips:
        if clip.error_kind is not None:
            # The decoder has the message for the first clip that it could not decode.
            same = clip.error is None and clip.error_kind == scored.facts.error_kind
            return clip.error_kind, scored.facts.error if same else clip.error
    if scored.clips:
        return None, None
    if scored.facts.error_kind is not None:
        return scored.facts.error_kind, scored.facts.error
    return scored.video.problem_kind or ErrorKind.DECODE, scored.video.problem


def _clip(clip: ClipScore) -> dict[str, Any]:
    return {
        "clip_index": clip.clip_index,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "p_ah": clip.p_ah,
        "answer_mass": clip.answer_mass,
        "format_mass": clip.format_mass,
        "model_p_ah": clip.model_p_ah,
        "answers": [asdict(answer) for answer in clip.answers] or None,
        "contrasts": [asdict(contrast) for contrast in clip.contrasts] or None,
        "n_frames": clip.n_frames,
        "error_kind": clip.error_kind if clip.p_ah is None else None,
    }


def hide_names_in_row(row: Row) -> Row:
    """Return the row without the names of the video and of the folders above it."""
    error = row["error"]
    return row | {
        "uri": None,
        "error": redact_name(error, row["uri"]) if error and row["uri"] else error,
        "model": PurePosixPath(row["model"]).name,
    }
