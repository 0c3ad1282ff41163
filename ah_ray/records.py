"""The records and schemas that pass between stages or reach users: fields, types and units.

    Video ──▶ Clip, Clip, …, VideoFacts ──▶ ClipScore, …, VideoFacts ──▶ a row of VERDICT

Schemas are explicit, so a column that holds only nulls keeps its type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from ah_ray.errors import ConfigError, ErrorKind
from ah_ray.remarks import Remark

if TYPE_CHECKING:
    import numpy as np

NOT_PARQUET = (pa.ArrowException, OSError, ValueError)
"""What pyarrow raises on bytes that are damaged or are not a table."""

SCHEMA_VERSION = 2
DESCRIBED_BY = ("participant", "visit", "question")
"""Columns of a manifest that rows keep wherever it has them."""
FROM_MANIFEST = (*DESCRIBED_BY, "groups")
"""Columns of a row that come from the manifest. They change no score; the tables have what the
manifest of the last run says."""
_TIME = pa.timestamp("us", tz="UTC")


Groups = tuple[tuple[str, str], ...]
"""(column, value) of each column of the manifest that --group-by names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One video of the cohort, and what is known about it before it is opened."""

    video_id: str
    uri: str  # s3://bucket/key unescaped, an absolute local path, or another fsspec URL
    etag: str | None  # null: the object is missing (or its listing was denied)
    size_bytes: int | None
    last_modified: datetime | None
    attempts: int = 0  # how often this content was tried before
    stale: tuple[str, ...] = ()  # names in OUT/videos that its next row replaces
    problem_kind: ErrorKind | None = None  # MISSING or DENIED, found while listing
    problem: str | None = None
    participant: str | None = None  # this and the next three: of the manifest
    visit: str | None = None
    question: str | None = None  # that is answered in the video
    groups: Groups | None = None


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
    sampled_s: float | None = None  # pictures in the window ÷ their rate; null: end_s − start_s

    @property
    def picture_s(self) -> float:
        """Return the seconds of pictures that `frames` were picked from.

        At 29.97 fps the 150 pictures of a 5 s window last 5.005 s: the reference counts those.
        """
        return self.end_s - self.start_s if self.sampled_s is None else self.sampled_s


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What decoding found out about a whole video. It follows the last clip."""

    n_clips: int  # planned windows, failed ones included
    duration_s: float | None = None
    fps: float | None = None
    width_px: int | None = None  # as displayed, after rotation
    height_px: int | None = None
    has_audio: bool | None = None
    picture_is_still: bool | None = None
    sound_is_silent: bool | None = None
    unscored_sound_s: float | None = None  # sound before the first picture or after the last
    remarks: tuple[Remark, ...] = ()
    decode_s: float = 0.0  # wall seconds, probe included
    decode_cpu_s: float = 0.0
    storage_retries: int = 0  # while it was read
    error_kind: ErrorKind | None = None  # of the first failed clip, or why none could be planned
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerScore:
    """The probability of one answer to one question about a clip."""

    question: str
    answer: str
    p: float  # of all answers to the question together, 1
    mass: float  # what the model gave to all answers to the question, before normalising


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastScore:
    """How differently two questions about a clip were answered: 0 (alike) to 1."""

    contrast: str
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScore:
    """The score of one clip, or why it has none."""

    clip_index: int
    start_s: float
    end_s: float
    p_ah: float | None  # of several models, their mean, until a reducer combines them
    answer_mass: float | None = None  # p(Yes) + p(No) before normalising
    format_mass: float | None = None  # p(the beginning of the answer that the model was given)
    model_p_ah: list[float | None] | None = None  # of several models; null where one failed
    n_frames: int = 0
    score_s: float = 0.0
    error_kind: ErrorKind | None = None
    error: str | None = None
    answers: list[AnswerScore] = field(default_factory=list)  # none if p_ah says it all
    contrasts: list[ContrastScore] = field(default_factory=list)
    embedding: bytes | None = None  # [D] float16, little-endian, where it is kept


def failed_clip(clip_index: int, start_s: float, end_s: float, kind: ErrorKind, error: str) -> Clip:
    """Return the clip of a window that could not be decoded. Nothing else makes failed clips."""
    return Clip(
        clip_index=clip_index,
        start_s=start_s,
        end_s=end_s,
        frames=None,
        samples=None,
        error_kind=kind,
        error=error,
    )


def failed_score(
    clip: Clip,
    kind: ErrorKind | None = None,
    error: str | None = None,
    *,
    score_s: float = 0.0,
) -> ClipScore:
    """Return the score of a clip that has none. Nothing else makes failed scores.

    `kind` and `error` say why; without them it is the reason why the clip was not decoded.
    """
    return ClipScore(
        clip_index=clip.clip_index,
        start_s=clip.start_s,
        end_s=clip.end_s,
        p_ah=None,
        n_frames=0 if clip.frames is None else len(clip.frames),
        score_s=score_s,
        error_kind=clip.error_kind if kind is None else kind,
        error=clip.error if kind is None else error,
    )


@dataclass(slots=True, kw_only=True)
class Scored:
    """A video with all its clips: what the reducer turns into a row."""

    video: Video
    facts: VideoFacts
    clips: list[ClipScore] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A row that a reducer has written, as it reports it to the driver."""

    video_id: str
    status: str
    error_kind: str | None
    n_clips: int
    duration_s: float
    size_bytes: int = 0
    storage_retries: int = 0  # of the reducer, since it last wrote a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A video whose row could not be written in this pass, because storage failed."""

    video_id: str
    error: str


ANSWER = pa.struct(
    [
        ("question", pa.string()),
        ("answer", pa.string()),
        ("p", pa.float64()),
        ("mass", pa.float64()),
    ]
)
"""What AnswerScore holds."""

CONTRAST = pa.struct([("contrast", pa.string()), ("distance", pa.float64())])
"""What ContrastScore holds."""

ASKED = pa.struct(
    [
        ("question", pa.string()),
        ("answer", pa.string()),
        ("p", pa.float64()),
        ("reducer", pa.string()),
    ]
)
"""The probability of one answer to a further question about a whole video."""

CLIP = pa.struct(
    [
        ("clip_index", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("p_ah", pa.float64()),
        ("answer", pa.string()),
        ("answer_mass", pa.float64()),
        ("format_mass", pa.float64()),
        ("model_p_ah", pa.list_(pa.float64())),
        ("answers", pa.list_(ANSWER)),  # null if p_ah says it all
        ("contrasts", pa.list_(CONTRAST)),
        ("n_frames", pa.int32()),
        ("error_kind", pa.string()),
    ]
)

VERDICT = pa.schema(
    [
        ("schema_version", pa.int32()),
        ("video_id", pa.string()),
        ("uri", pa.string()),
        ("participant", pa.string()),
        ("visit", pa.string()),
        ("question", pa.string()),
        ("groups", pa.map_(pa.string(), pa.string())),
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
        ("unscored_sound_s", pa.float64()),
        ("remarks", pa.list_(pa.string())),
        ("n_clips", pa.int32()),
        ("n_failed_clips", pa.int32()),
        ("p_ah", pa.float64()),
        ("answer", pa.string()),
        ("asked", pa.list_(ASKED)),  # null if there is no further question
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
"""One row per video: the file OUT/videos/<video_id>-<hash8>.parquet.

A new column is added here and filled in `ah_ray.output.row`, or, if it belongs to the verdict and
changes with the reducer, in `ah_ray.verdicts.verdict`. Rows that lack it are read as null if
`ah_ray.output.row_files._LATER_COLUMNS` names it, or if `SCHEMA_VERSION` was raised.
"""

VERDICTS = pa.schema([column for column in VERDICT if column.name != "clips"])
"""OUT/verdicts.parquet: the same columns without the timeline."""

CLIPS = pa.schema([("video_id", pa.string()), *[(f.name, f.type) for f in CLIP]])
"""OUT/clips.parquet: the timelines, flat."""

ANSWERS = pa.schema(
    [
        ("video_id", pa.string()),
        ("clip_index", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("question", pa.string()),
        ("sees", pa.string()),
        ("answer", pa.string()),
        ("p", pa.float64()),
        ("mass", pa.float64()),
        ("value", pa.float64()),  # of the question, by its scale; null without a scale
    ]
)
"""OUT/answers.parquet: one row for each answer to each question about each clip.

`value` is the expected value of the question, so it is the same in the rows of all its answers.
"""

EMBEDDINGS = pa.schema(
    [
        ("video_id", pa.string()),
        ("clip_index", pa.int32()),
        ("config_fingerprint", pa.string()),
        ("embedding", pa.list_(pa.float16())),
    ]
)
"""OUT/embeddings/<name of the row>: the model's hidden state at the answer about each clip."""


def check_version(uri: str, schema_version: int | None) -> None:
    """Raise ConfigError if a newer ah_ray wrote the file."""
    if (schema_version or 0) > SCHEMA_VERSION:
        raise ConfigError(
            f"{uri} has schema version {schema_version}, and this ah_ray reads up to "
            f"{SCHEMA_VERSION}: upgrade ah_ray"
        )
