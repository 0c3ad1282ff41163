"""Everything that crosses a stage or reaches a user: its fields, types and units, in one place.

    Video ──▶ Clip, Clip, …, VideoFacts ──▶ ClipScore, …, VideoFacts ──▶ a row of VERDICT

Schemas are explicit, so a column that is null throughout keeps its type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa

from ah_ray.errors import ErrorKind

NOT_PARQUET = (pa.ArrowException, OSError, ValueError)
"""What pyarrow raises on bytes that are damaged, or never were a table."""

SCHEMA_VERSION = 1
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One video of the cohort, and what is known of it before it is opened."""

    video_id: str
    uri: str  # s3://bucket/key unescaped, an absolute local path, or another fsspec URL
    etag: str | None  # null: the object is missing (or its listing was denied)
    size_bytes: int | None
    last_modified: datetime | None
    attempts: int = 0  # how often this content was tried before
    stale: tuple[str, ...] = ()  # names in OUT/videos that its next row replaces
    problem_kind: ErrorKind | None = None  # MISSING or DENIED, found while listing
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """The decoded content of one window, or why there is none."""

    clip_index: int
    start_s: float
    end_s: float
    frames: np.ndarray | None  # [T, H, W, 3] uint8 RGB, T even, H and W multiples of 32
    samples: np.ndarray | None  # [N] float32 in −1…1, 16 kHz mono; N = round(16000 · seconds)
    error_kind: ErrorKind | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What decoding found out about a video as a whole; follows its last clip."""

    n_clips: int  # planned windows, failed ones included
    duration_s: float | None = None
    fps: float | None = None
    width_px: int | None = None  # as displayed, after rotation
    height_px: int | None = None
    has_audio: bool | None = None
    picture_is_still: bool | None = None
    sound_is_silent: bool | None = None
    decode_s: float = 0.0  # wall seconds, probe included
    probe_cpu_s: float = 0.0
    decode_cpu_s: float = 0.0
    storage_retries: int = 0  # while it was read
    error_kind: ErrorKind | None = None  # of the first failed clip, or why none could be planned
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScore:
    """What a replica makes of a clip."""

    clip_index: int
    start_s: float
    end_s: float
    p_ah: float | None  # of several models, their mean, until a reducer combines them
    answer_mass: float | None = None  # p(Yes) + p(No) before normalising
    model_p_ah: list[float] | None = None  # when several models score; null where one failed
    n_frames: int = 0
    score_s: float = 0.0
    error_kind: ErrorKind | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Scored:
    """A video with all its clips: what the reducer turns into a row."""

    video: Video
    facts: VideoFacts
    clips: list[ClipScore] = field(default_factory=list)


CLIP = pa.struct(
    [
        ("clip_index", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("p_ah", pa.float64()),
        ("answer", pa.string()),
        ("answer_mass", pa.float64()),
        ("model_p_ah", pa.list_(pa.float64())),
        ("n_frames", pa.int32()),
        ("error_kind", pa.string()),
    ]
)

VERDICT = pa.schema(
    [
        ("schema_version", pa.int32()),
        ("video_id", pa.string()),
        ("uri", pa.string()),
        ("etag", pa.string()),
        ("size_bytes", pa.int64()),
        ("last_modified", _TIME),
        ("status", pa.string()),
        ("error_kind", pa.string()),
        ("error", pa.string()),
        ("attempts", pa.int32()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("has_audio", pa.bool_()),
        ("picture_is_still", pa.bool_()),
        ("sound_is_silent", pa.bool_()),
        ("n_clips", pa.int32()),
        ("n_failed_clips", pa.int32()),
        ("p_ah", pa.float64()),
        ("answer", pa.string()),
        ("reducer", pa.string()),
        ("threshold", pa.float64()),
        ("calibration_fingerprint", pa.string()),
        ("profile", pa.string()),
        ("model", pa.string()),
        ("model_fingerprint", pa.string()),
        ("config_fingerprint", pa.string()),
        ("ah_ray_version", pa.string()),
        ("ffmpeg_version", pa.string()),
        ("run_id", pa.string()),
        ("scored_at", _TIME),
        ("decode_s", pa.float64()),
        ("score_s", pa.float64()),
        ("clips", pa.list_(CLIP)),
    ]
)
"""One row per video: the file OUT/videos/<video_id>-<hash8>.parquet."""

VERDICTS = pa.schema([column for column in VERDICT if column.name != "clips"])
"""OUT/verdicts.parquet: the same without the timeline."""

CLIPS = pa.schema([("video_id", pa.string()), *[(f.name, f.type) for f in CLIP]])
"""OUT/clips.parquet: the timelines, flat."""
