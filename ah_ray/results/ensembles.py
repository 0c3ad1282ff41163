"""One verdict from those of several outputs, over videos. Pure.

    vote   the share of Yes among the members; a Yes needs more than half, so a tie is a No
    mean   of the members' probabilities

A member that has no verdict of a video is left out, and the row says so: it is `partial`, its
`error` counts and names those left out, and `model_p_ah` of its clips holds nulls in their places.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from enum import StrEnum

from ah_ray.config import Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.records import SCHEMA_VERSION
from ah_ray.results.outputs import Member, OutputConfig
from ah_ray.results.redaction import redacted
from ah_ray.results.reducers import YES, answer, clip_threshold
from ah_ray.results.row import FAILED, OK, PARTIAL

MORE_THAN_HALF = math.nextafter(0.5, 1)
"""The threshold of a vote: the least number above a tie, so `Yes` iff p_ah ≥ threshold here too."""

_FACTS = (
    "uri", "etag", "size_bytes", "last_modified", "duration_s", "fps", "width_px", "height_px",
    "has_audio", "picture_is_still", "sound_is_silent",
)  # fmt: skip


class Ensemble(StrEnum):
    """How members are combined."""

    VOTE = "vote"
    MEAN = "mean"


def ensemble_config(
    ensemble: Ensemble, members: Sequence[OutputConfig], each: Reduction
) -> OutputConfig:
    """The configuration of an ensemble's output; `each` is how a member's clips are reduced.

    Raises ConfigError if the members' timelines cannot be laid side by side.
    """
    _check_windows([member.scoring.windows for member in members])
    if ensemble is Ensemble.VOTE:
        reducer, threshold = f"vote({each.reducer}>={each.threshold!r})", MORE_THAN_HALF
    else:
        reducer, threshold = f"mean({each.reducer})", each.threshold
    prints = [member.config_fingerprint for member in members]
    return OutputConfig(
        config_fingerprint=_digest([ensemble.value, *prints]),
        reduction=Reduction(reducer=reducer, threshold=threshold),
        ensemble=ensemble.value,
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


def combined_row(members: Sequence[dict | None], config: OutputConfig, each: Reduction) -> dict:
    """A row of records.VERDICT from the members' rows of one video (None: it has none).

    The members' verdicts are formed already, all with `each`. `run_id` is left to the caller.
    """
    present = [row for row in members if row is not None]
    good = [row for row in present if row["p_ah"] is not None]
    scorings = [member.scoring for member in config.members]
    p_ah = _combine(config.ensemble, [(row["p_ah"], row["answer"]) for row in good])
    clips = _clips(members, config, each)
    status, kind, error = _status(members)
    facts = {name: _first(row[name] for row in present) for name in _FACTS}
    if facts["uri"] and any(row["uri"] is None for row in present):  # some member hides names
        error = error and redacted(error, facts["uri"])
        facts["uri"] = None
    return {
        "schema_version": SCHEMA_VERSION,
        "video_id": present[0]["video_id"],
        **facts,
        "status": status,
        "error_kind": kind,
        "error": error,
        "attempts": max(row["attempts"] for row in present),
        "n_clips": len(clips),
        "n_failed_clips": sum(clip["p_ah"] is None for clip in clips),
        "p_ah": p_ah,
        "answer": answer(p_ah, config.reduction.threshold),
        "reducer": config.reduction.reducer,
        "threshold": config.reduction.threshold,
        "calibration_fingerprint": None,
        "profile": _joined(scoring.profile.name for scoring in scorings),
        "model": _joined(scoring.model for scoring in scorings),
        "model_fingerprint": _digest([scoring.model_fingerprint for scoring in scorings]),
        "config_fingerprint": config.config_fingerprint,
        "ah_ray_version": _joined(row["ah_ray_version"] for row in present),
        "ffmpeg_version": _joined(row["ffmpeg_version"] for row in present),
        "scored_at": max(row["scored_at"] for row in present),
        "decode_s": sum(row["decode_s"] or 0.0 for row in present),
        "score_s": sum(row["score_s"] or 0.0 for row in present),
        "clips": clips,
    }


def _combine(ensemble: str, verdicts: Sequence[tuple[float, str]]) -> float | None:
    """Of (p_ah, answer) of those members that have them."""
    if not verdicts:
        return None
    if ensemble == Ensemble.VOTE:
        return sum(said == YES for _, said in verdicts) / len(verdicts)
    p = [p for p, _ in verdicts]
    return min(max(math.fsum(p) / len(p), min(p)), max(p))


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


def _clips(members: Sequence[dict | None], config: OutputConfig, each: Reduction) -> list[dict]:
    """The members' timelines, laid side by side by clip_index."""
    timelines = [
        {clip["clip_index"]: clip for clip in row["clips"]} if row else {} for row in members
    ]
    indices = sorted(set().union(*timelines))
    vote = config.ensemble == Ensemble.VOTE
    threshold = config.reduction.threshold if vote else clip_threshold(each)
    return [
        _clip([timeline.get(index) for timeline in timelines], config.ensemble, threshold)
        for index in indices
    ]


def _clip(clips: Sequence[dict | None], ensemble: str, threshold: float) -> dict:
    present = [clip for clip in clips if clip is not None]
    good = [clip for clip in present if clip["p_ah"] is not None]
    masses = [clip["answer_mass"] for clip in good if clip["answer_mass"] is not None]
    p_ah = _combine(ensemble, [(clip["p_ah"], clip["answer"]) for clip in good])
    return {
        "clip_index": present[0]["clip_index"],
        "start_s": present[0]["start_s"],
        "end_s": present[0]["end_s"],
        "p_ah": p_ah,
        "answer": answer(p_ah, threshold),
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


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
