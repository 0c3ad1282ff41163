"""Combines the rows of several outputs for one video, clip by clip. Pure.

A member without a verdict for a video is left out, and the row says so: it is `partial`, its
`error` counts and names these members, and `model_p_ah` of its clips holds nulls for them. The
verdict is then formed as for several models in one run (verdict.py).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from ah_ray.config import Scoring, Windows
from ah_ray.errors import ConfigError
from ah_ray.output.config import Member, OutputConfig
from ah_ray.output.redaction import redact_name
from ah_ray.output.row import FAILED, OK, PARTIAL
from ah_ray.records import FROM_MANIFEST, SCHEMA_VERSION
from ah_ray.verdicts.further_answers import average_answers, average_contrasts, reduce_asked
from ah_ray.verdicts.reduction import Reduction
from ah_ray.verdicts.verdict import Row, with_verdict

T = TypeVar("T")
_Clip = dict[str, Any]

_FACTS = (
    "uri", *FROM_MANIFEST, "etag", "size_bytes", "last_modified", "duration_s", "fps", "width_px",
    "height_px", "has_audio", "picture_is_still", "sound_is_silent", "unscored_sound_s", "remarks",
)  # fmt: skip


def ensemble_config(members: Sequence[OutputConfig], reduction: Reduction) -> OutputConfig:
    """Return the configuration of an ensemble's output.

    Each member was scored, and is not an ensemble itself. Raise ConfigError if the members have
    different windows, so that their clips do not match.
    """
    scorings = [_scoring(member) for member in members]
    _check_windows([scoring.windows for scoring in scorings])
    prints = [member.config_fingerprint for member in members]
    return OutputConfig(
        config_fingerprint=hash_parts([str(reduction.ensemble), *prints]),
        reduction=reduction,
        hide_uris=all(member.hide_uris for member in members),
        members=tuple(
            Member(scoring=scoring, config_fingerprint=member.config_fingerprint)
            for member, scoring in zip(members, scorings, strict=True)
        ),
    )


def _scoring(config: OutputConfig) -> Scoring:
    if config.scoring is None:
        raise ConfigError(f"an input is an ensemble itself ({config.describe()}); name its inputs")
    return config.scoring


def _check_windows(windows: Sequence[Windows]) -> None:
    for number, other in enumerate(windows[1:], start=2):
        if other != windows[0]:
            raise ConfigError(
                f"inputs 1 and {number} were cut into other windows ({windows[0]!r}, {other!r}), "
                "so their timelines have no clips in common: score one of them again"
            )


def combine_rows(members: Sequence[Row | None], config: OutputConfig) -> Row:
    """Return a row of records.VERDICT from the members' rows of one video.

    A member without a row is None; at least one has a row. The caller sets `run_id`.
    """
    present = [row for row in members if row is not None]
    scorings = [member.scoring for member in config.members]
    clips = _combine_timelines(members)
    status, kind, error = _combine_status(members)
    facts: dict[str, Any] = {name: _first_known(row[name] for row in present) for name in _FACTS}
    if facts["uri"] and any(row["uri"] is None for row in present):  # a member hides names
        error = error and redact_name(error, facts["uri"])
        facts["uri"] = None
    row = {
        "schema_version": SCHEMA_VERSION,
        "video_id": present[0]["video_id"],
        **facts,
        "status": status,
        "error_kind": kind,
        "error": error,
        "attempts": max(row["attempts"] for row in present),
        "n_clips": len(clips),
        "n_failed_clips": sum(clip["error_kind"] is not None for clip in clips),
        "profile": _join_names(scoring.profile.name for scoring in scorings),
        "model": " + ".join(scoring.model for scoring in scorings),
        "model_fingerprint": hash_parts([scoring.model_fingerprint for scoring in scorings]),
        "config_fingerprint": config.config_fingerprint,
        "ah_ray_version": _join_names(row["ah_ray_version"] for row in present),
        "ffmpeg_version": _join_names(row["ffmpeg_version"] for row in present),
        "scored_at": max(row["scored_at"] for row in present),
        "decode_s": sum(row["decode_s"] or 0.0 for row in present),
        "score_s": sum(row["score_s"] or 0.0 for row in present),
        "asked": reduce_asked(clips, _further_reducers(scorings)),
        "clips": clips,
    }
    return with_verdict(row, config.reduction)


def _further_reducers(scorings: Sequence[Scoring]) -> dict[str, str]:
    """Return the reducer of each further question, as the first member that asks it has it."""
    reducers: dict[str, str] = {}
    for scoring in scorings:
        for question in scoring.profile.complete_questions[1:]:
            reducers.setdefault(question.name, question.reducer)
    return reducers


def _combine_status(members: Sequence[Row | None]) -> tuple[str, str | None, str | None]:
    """Return status, error_kind and error of the ensemble's row."""
    problems: list[tuple[Row | None, str]] = []  # (its row or None, what is wrong with it)
    for number, row in enumerate(members, start=1):
        if row is None:
            problems.append((row, f"input {number} has no row of it"))
        elif row["status"] != OK:
            problems.append((row, f"input {number} {row['status']}: {row['error']}"))
    if not problems:
        return OK, None, None
    n_out = sum(row is None or row["p_ah"] is None for row in members)
    kind = _first_known(row["error_kind"] for row, _ in problems if row is not None)
    texts = "; ".join(text for _, text in problems)
    status = FAILED if n_out == len(members) else PARTIAL
    return status, kind, f"{n_out} of {len(members)} members left out ({texts})"


def _combine_timelines(members: Sequence[Row | None]) -> list[_Clip]:
    """Combine the members' timelines by clip_index."""
    timelines: list[dict[int, _Clip]] = [
        {clip["clip_index"]: clip for clip in row["clips"]} if row else {} for row in members
    ]
    indices = sorted(set().union(*timelines))
    return [_combine_clip([timeline.get(index) for timeline in timelines]) for index in indices]


def _combine_clip(clips: Sequence[_Clip | None]) -> _Clip:
    present = [clip for clip in clips if clip is not None]
    good = [clip for clip in present if clip["p_ah"] is not None]
    return {
        "clip_index": present[0]["clip_index"],
        "start_s": present[0]["start_s"],
        "end_s": present[0]["end_s"],
        "answer_mass": _mean_of_column(good, "answer_mass"),
        "format_mass": _mean_of_column(good, "format_mass"),
        "model_p_ah": [clip and clip["p_ah"] for clip in clips],
        "answers": average_answers([clip["answers"] for clip in good]),
        "contrasts": average_contrasts([clip["contrasts"] for clip in good]),
        "n_frames": max(clip["n_frames"] for clip in present),
        "error_kind": None if good else _first_known(clip["error_kind"] for clip in present),
    }


def _mean_of_column(clips: Sequence[_Clip], name: str) -> float | None:
    """Return the mean over the clips that have the column. Older outputs lack some columns."""
    known = [clip[name] for clip in clips if clip.get(name) is not None]
    return math.fsum(known) / len(known) if known else None


def _first_known(values: Iterable[T | None]) -> T | None:
    """Return the first value that is not null; null if all are."""
    return next((value for value in values if value is not None), None)


def _join_names(names: Iterable[str | None]) -> str:
    return " + ".join(dict.fromkeys(name for name in names if name))


def hash_parts(parts: Sequence[str]) -> str:
    """Return one fingerprint for several parts, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
