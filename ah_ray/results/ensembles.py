"""One row from those of several outputs, over videos: their timelines laid side by side. Pure.

A member that has no verdict of a video is left out, and the row says so: it is `partial`, its
`error` counts and names those left out, and `model_p_ah` of its clips holds nulls in their places.
How the verdict is formed from there is the same as for several models in one run (verdict.py).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from ah_ray.config import Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.records import SCHEMA_VERSION
from ah_ray.results.outputs import Member, OutputConfig
from ah_ray.results.redaction import redacted
from ah_ray.results.row import FAILED, OK, PARTIAL
from ah_ray.results.verdict import with_verdict

_FACTS = (
    "uri", "etag", "size_bytes", "last_modified", "duration_s", "fps", "width_px", "height_px",
    "has_audio", "picture_is_still", "sound_is_silent",
)  # fmt: skip


def ensemble_config(members: Sequence[OutputConfig], reduction: Reduction) -> OutputConfig:
    """The configuration of an ensemble's output.

    Raises ConfigError if the members' timelines cannot be laid side by side.
    """
    _check_windows([member.scoring.windows for member in members])
    prints = [member.config_fingerprint for member in members]
    return OutputConfig(
        config_fingerprint=digest([reduction.ensemble, *prints]),
        reduction=reduction,
        hide_uris=all(member.hide_uris for member in members),
        members=[
            Member(scoring=member.scoring, config_fingerprint=member.config_fingerprint)
            for member in members
        ],
    )


def _check_windows(windows: Sequence[Windows]) -> None:
    for number, other in enumerate(windows[1:], start=2):
        if other != windows[0]:
            raise ConfigError(
                f"inputs 1 and {number} were cut into other windows ({windows[0]!r}, {other!r}), "
                "so their timelines have no clips in common: score one of them anew"
            )


def combined_row(members: Sequence[dict | None], config: OutputConfig) -> dict:
    """A row of records.VERDICT from the members' rows of one video (None: it has none).

    `run_id` is left to the caller.
    """
    present = [row for row in members if row is not None]
    scorings = [member.scoring for member in config.members]
    clips = _clips(members)
    status, kind, error = _status(members)
    facts = {name: _first(row[name] for row in present) for name in _FACTS}
    if facts["uri"] and any(row["uri"] is None for row in present):  # some member hides names
        error = error and redacted(error, facts["uri"])
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
        "profile": _joined(scoring.profile.name for scoring in scorings),
        "model": " + ".join(scoring.model for scoring in scorings),
        "model_fingerprint": digest([scoring.model_fingerprint for scoring in scorings]),
        "config_fingerprint": config.config_fingerprint,
        "ah_ray_version": _joined(row["ah_ray_version"] for row in present),
        "ffmpeg_version": _joined(row["ffmpeg_version"] for row in present),
        "scored_at": max(row["scored_at"] for row in present),
        "decode_s": sum(row["decode_s"] or 0.0 for row in present),
        "score_s": sum(row["score_s"] or 0.0 for row in present),
        "clips": clips,
    }
    return with_verdict(row, config.reduction)


def _status(members: Sequence[dict | None]) -> tuple[str, str | None, str | None]:
    """status, error_kind and error of the ensemble's row."""
    doubts = []  # (its place, its row or None, what is wrong with it)
    for number, row in enumerate(members, start=1):
        if row is None:
            doubts.append((row, f"input {number} has no row of it"))
        elif row["status"] != OK:
            doubts.append((row, f"input {number} {row['status']}: {row['error']}"))
    if not doubts:
        return OK, None, None
    n_out = sum(row is None or row["p_ah"] is None for row in members)
    kind = _first(row["error_kind"] for row, _ in doubts if row is not None)
    texts = "; ".join(text for _, text in doubts)
    status = FAILED if n_out == len(members) else PARTIAL
    return status, kind, f"{n_out} of {len(members)} members left out ({texts})"


def _clips(members: Sequence[dict | None]) -> list[dict]:
    """The members' timelines, laid side by side by clip_index."""
    timelines = [
        {clip["clip_index"]: clip for clip in row["clips"]} if row else {} for row in members
    ]
    indices = sorted(set().union(*timelines))
    return [_clip([timeline.get(index) for timeline in timelines]) for index in indices]


def _clip(clips: Sequence[dict | None]) -> dict:
    present = [clip for clip in clips if clip is not None]
    good = [clip for clip in present if clip["p_ah"] is not None]
    masses = [clip["answer_mass"] for clip in good if clip["answer_mass"] is not None]
    return {
        "clip_index": present[0]["clip_index"],
        "start_s": present[0]["start_s"],
        "end_s": present[0]["end_s"],
        "answer_mass": math.fsum(masses) / len(masses) if masses else None,
        "model_p_ah": [clip and clip["p_ah"] for clip in clips],
        "n_frames": max(clip["n_frames"] for clip in present),
        "error_kind": None if good else _first(clip["error_kind"] for clip in present),
    }


def _first(values):
    """The first that is not null; null if all are."""
    return next((value for value in values if value is not None), None)


def _joined(names) -> str:
    return " + ".join(dict.fromkeys(name for name in names if name))


def digest(parts: Sequence[str]) -> str:
    """One fingerprint of several, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
