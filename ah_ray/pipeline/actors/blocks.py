"""The two Arrow tables that cross the stages, and their translation to and from records.

    decoder ──FRAMES──▶ replica ──SCORES──▶ reducer

Both are streams of events: `clip` (one window, with its pixels or the reason why there are none),
`video` (what is known of the whole video; follows its last clip), `lost` (storage failed, or a
machine: no row in this pass, the healing loop comes back to it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, is_dataclass
from types import UnionType
from typing import Any, cast, get_args, get_type_hints

import pyarrow as pa

from ah_ray import clip_tables
from ah_ray.errors import ErrorKind
from ah_ray.pipeline.actors.model_mean import average_models
from ah_ray.records import VERDICT, AnswerScore, Clip, ClipScore, ContrastScore, Video, VideoFacts
from ah_ray.remarks import Remark

Row = dict[str, Any]

CLIP, VIDEO, LOST = "clip", "video", "lost"

_ARROW = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "bytes": pa.binary(),
    "ErrorKind": pa.string(),
    "datetime": pa.timestamp("us", tz="UTC"),
    "tuple": pa.list_(pa.string()),
    "list": pa.list_(pa.float64()),  # model_p_ah
}
_OWN = {"groups": VERDICT.field("groups").type}
"""Fields whose Arrow type does not follow from their hint."""


def _arrow_type(hint: Any) -> pa.DataType:
    """The Arrow type of a record's field; `X | None` is a nullable X."""
    if isinstance(hint, UnionType):
        hint = next(part for part in hint.__args__ if part is not type(None))
    if record := next((part for part in get_args(hint) if is_dataclass(part)), None):
        return pa.list_(_struct(cast(type, record)))
    return _ARROW[getattr(hint, "__origin__", hint).__name__]


def _struct(record: type) -> pa.StructType:
    hints = get_type_hints(record)
    names = [field.name for field in fields(record)]
    return pa.struct([(name, _OWN.get(name) or _arrow_type(hints[name])) for name in names])


_VIDEO, _FACTS, _SCORE = _struct(Video), _struct(VideoFacts), _struct(ClipScore)

VIDEOS = pa.schema(list(_VIDEO))
"""What the decoders are given: one pending video a row."""

_EVENT = [("event", pa.string()), ("video_id", pa.string())]
_WHOLE = [("video", _VIDEO), ("facts", _FACTS)]

FRAMES = pa.schema(
    [
        *_EVENT,
        *clip_tables.FIELDS,
        ("earlier_scores", pa.list_(_SCORE)),  # of this clip, by the models before
        *_WHOLE,
    ]
)

SCORES = pa.schema([*_EVENT, ("error", pa.string()), ("score", _SCORE), *_WHOLE])


def videos_table(videos: Sequence[Video]) -> pa.Table:
    return pa.Table.from_pylist([asdict(video) for video in videos], schema=VIDEOS)


def videos_of(table: pa.Table) -> Iterator[Video]:
    for row in table.to_pylist():
        yield _record(Video, row)


def clip_frames(video: Video, clip: Clip) -> pa.Table:
    """One clip as a FRAMES row; its pixels are wrapped, not copied."""
    columns = clip_tables.clip_columns(clip)
    return clip_tables.make_row(FRAMES, event=CLIP, video_id=video.video_id, **columns)


def video_frames(video: Video, facts: VideoFacts) -> pa.Table:
    """The end of a video as a FRAMES row."""
    whole = {"video": asdict(video), "facts": asdict(facts)}
    return clip_tables.make_row(FRAMES, event=VIDEO, video_id=video.video_id, **whole)


def lost_frames(video: Video, error: str | None) -> pa.Table:
    """A video that storage did not give us, as a FRAMES row; without an error, one whose decoding
    was interrupted."""
    return clip_tables.make_row(FRAMES, event=LOST, video_id=video.video_id, error=error)


def clips_of(table: pa.Table) -> list[Clip]:
    """The clips of a FRAMES table; their arrays are read-only views of its buffers."""
    events = table["event"].to_pylist()
    rows = clip_tables.iterate_clips(table)
    return [clip for event, clip in zip(events, rows, strict=True) if event == CLIP]


def frames_with_scores(frames: pa.Table, scores: Sequence[ClipScore]) -> pa.Table:
    """Return FRAMES with the scores of one more model, given in the order of its clips."""
    per_row = [[*map(asdict, row)] for row in _scores_per_row(frames, scores)]
    place = FRAMES.get_field_index("earlier_scores")
    return frames.set_column(
        place, FRAMES.field(place), pa.array(per_row, FRAMES.field(place).type)
    )


def scores_table(frames: pa.Table, scores: Sequence[ClipScore]) -> pa.Table:
    """Return SCORES of FRAMES, with the scores of the last model in the order of its clips."""
    per_row = [
        asdict(average_models(row)) if row else None for row in _scores_per_row(frames, scores)
    ]
    columns = [frames[name] for name in ("event", "video_id", "error")]
    columns += [pa.array(per_row, _SCORE), frames["video"], frames["facts"]]
    # In one piece: what comes from many clips is in as many, and those are slow to send.
    return pa.Table.from_arrays(columns, schema=SCORES).combine_chunks()


def _scores_per_row(frames: pa.Table, scores: Sequence[ClipScore]) -> Iterator[list[ClipScore]]:
    """Yield for each row the scores of its clip, the newest last; none if it is no clip."""
    ours = iter(scores)
    for event, before in zip(
        frames["event"].to_pylist(), frames["earlier_scores"].to_pylist(), strict=True
    ):
        earlier = [_record(ClipScore, score) for score in before or ()]
        yield [*earlier, next(ours)] if event == CLIP else []


def score_of(row: Row) -> ClipScore:
    """Return the score in a `clip` row of SCORES."""
    score: ClipScore = _record(ClipScore, row["score"])
    return score


def video_of(row: Row) -> tuple[Video, VideoFacts]:
    """Return what a `video` row of SCORES holds."""
    return _record(Video, row["video"]), _record(VideoFacts, row["facts"])


def _record(record: type, row: Row) -> Any:
    for name in ("error_kind", "problem_kind"):
        if row.get(name):
            row = {**row, name: ErrorKind(row[name])}
    if "remarks" in row:
        row = {**row, "remarks": tuple(Remark(remark) for remark in row["remarks"] or ())}
    if "stale" in row:
        row = {**row, "stale": tuple(row["stale"] or ())}
    if row.get("groups"):
        row = {**row, "groups": tuple(row["groups"])}
    for name, part in (("answers", AnswerScore), ("contrasts", ContrastScore)):
        if name in row:
            row = {**row, name: [part(**one) for one in row[name] or ()]}
    return record(**row)
