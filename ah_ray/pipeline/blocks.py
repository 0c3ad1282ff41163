"""The two Arrow tables that cross the stages, and their translation to and from records.

    decoder ──FRAMES──▶ replica ──SCORES──▶ reducer

Both are streams of events: `clip` (one window, with its pixels or the reason why there are none),
`video` (what is known of the whole video; follows its last clip), `lost` (storage failed: no row
in this pass, the healing loop comes back to it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from types import UnionType
from typing import Any, get_type_hints

import numpy as np
import pyarrow as pa

from ah_ray.errors import ErrorKind
from ah_ray.pipeline.together import together
from ah_ray.records import Clip, ClipScore, Video, VideoFacts

CLIP, VIDEO, LOST = "clip", "video", "lost"

_ARROW = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "ErrorKind": pa.string(),
    "datetime": pa.timestamp("us", tz="UTC"),
    "tuple": pa.list_(pa.string()),
    "list": pa.list_(pa.float64()),  # model_p_ah
}


def _arrow_type(hint: Any) -> pa.DataType:
    """The Arrow type of a record's field; `X | None` is a nullable X."""
    if isinstance(hint, UnionType):
        hint = next(part for part in hint.__args__ if part is not type(None))
    return _ARROW[getattr(hint, "__origin__", hint).__name__]


def _struct(record: type) -> pa.StructType:
    hints = get_type_hints(record)
    return pa.struct([(field.name, _arrow_type(hints[field.name])) for field in fields(record)])


_VIDEO, _FACTS, _SCORE = _struct(Video), _struct(VideoFacts), _struct(ClipScore)

VIDEOS = pa.schema(list(_VIDEO))
"""What the decoders are given: one pending video a row."""

_EVENT = [("event", pa.string()), ("video_id", pa.string()), ("error", pa.string())]
_WHOLE = [("video", _VIDEO), ("facts", _FACTS)]

FRAMES = pa.schema(
    [
        *_EVENT,
        ("clip_index", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("error_kind", pa.string()),
        ("shape", pa.list_(pa.int32())),  # T, H, W, 3
        ("frames", pa.large_binary()),  # uint8, C order
        ("samples", pa.large_binary()),  # float32
        ("said", pa.list_(_SCORE)),  # of this clip, by the models that it has passed
        *_WHOLE,
    ]
)

SCORES = pa.schema([*_EVENT, ("score", _SCORE), *_WHOLE])


def videos_table(videos: Sequence[Video]) -> pa.Table:
    return pa.Table.from_pylist([asdict(video) for video in videos], schema=VIDEOS)


def videos_of(table: pa.Table) -> Iterator[Video]:
    for row in table.to_pylist():
        yield _record(Video, row)


def clip_frames(video: Video, clip: Clip) -> pa.Table:
    """One clip as a FRAMES row; its pixels are wrapped, not copied."""
    frames = None if clip.frames is None else np.ascontiguousarray(clip.frames)
    return _frames_row(
        event=CLIP,
        video_id=video.video_id,
        error=clip.error,
        clip_index=clip.clip_index,
        start_s=clip.start_s,
        end_s=clip.end_s,
        error_kind=clip.error_kind,
        shape=None if frames is None else list(frames.shape),
        frames=_wrap(frames),
        samples=_wrap(clip.samples),
    )


def video_frames(video: Video, facts: VideoFacts) -> pa.Table:
    """The end of a video as a FRAMES row."""
    return _frames_row(
        event=VIDEO, video_id=video.video_id, video=asdict(video), facts=asdict(facts)
    )


def lost_frames(video: Video, error: str) -> pa.Table:
    """A video that storage did not give us, as a FRAMES row."""
    return _frames_row(event=LOST, video_id=video.video_id, error=error)


def clips_of(table: pa.Table) -> list[Clip]:
    """The clips of a FRAMES table; their arrays are read-only views of its buffers."""
    clips = []
    for batch in table.to_batches():
        frames, samples = _values(batch["frames"]), _values(batch["samples"])
        small = batch.drop_columns(["frames", "samples", "said", "video", "facts"]).to_pylist()
        for row, its_frames, its_samples in zip(small, frames, samples, strict=True):
            if row["event"] != CLIP:
                continue
            whole = its_frames is not None
            clips.append(
                Clip(
                    clip_index=row["clip_index"],
                    start_s=row["start_s"],
                    end_s=row["end_s"],
                    frames=its_frames.reshape(row["shape"]) if whole else None,
                    samples=its_samples.view(np.float32) if whole else None,
                    error_kind=row["error_kind"] and ErrorKind(row["error_kind"]),
                    error=row["error"],
                )
            )
    return clips


def passed_on(frames: pa.Table, scores: Sequence[ClipScore]) -> pa.Table:
    """FRAMES for the next model: `scores` are one model's of its clips, in its order."""
    said = [[*map(asdict, row)] for row in _said(frames, scores)]
    place = FRAMES.get_field_index("said")
    return frames.set_column(place, FRAMES.field(place), pa.array(said, FRAMES.field(place).type))


def scores_table(frames: pa.Table, scores: Sequence[ClipScore]) -> pa.Table:
    """The SCORES of a FRAMES table: `scores` are the last model's of its clips, in its order."""
    per_row = [asdict(together(row)) if row else None for row in _said(frames, scores)]
    columns = [frames[name] for name in ("event", "video_id", "error")]
    columns += [pa.array(per_row, _SCORE), frames["video"], frames["facts"]]
    # In one piece: what comes from many clips is in as many, and those are slow to send.
    return pa.Table.from_arrays(columns, schema=SCORES).combine_chunks()


def _said(frames: pa.Table, scores: Sequence[ClipScore]) -> Iterator[list[ClipScore]]:
    """Of each row of FRAMES, what the models said of it, the newest last; nothing if no clip."""
    ours = iter(scores)
    for event, before in zip(frames["event"].to_pylist(), frames["said"].to_pylist(), strict=True):
        earlier = [_record(ClipScore, score) for score in before or ()]
        yield [*earlier, next(ours)] if event == CLIP else []


def score_of(row: dict) -> ClipScore:
    return _record(ClipScore, row["score"])


def video_of(row: dict) -> tuple[Video, VideoFacts]:
    return _record(Video, row["video"]), _record(VideoFacts, row["facts"])


def _record(record: type, row: dict) -> Any:
    for name in ("error_kind", "problem_kind"):
        if row.get(name):
            row = {**row, name: ErrorKind(row[name])}
    if "stale" in row:
        row = {**row, "stale": tuple(row["stale"] or ())}
    return record(**row)


def _frames_row(**values: Any) -> pa.Table:
    arrays = []
    for field in FRAMES:
        value = values.get(field.name)
        if isinstance(value, pa.Array):
            arrays.append(value)
        else:
            arrays.append(pa.array([value], field.type))
    return pa.Table.from_arrays(arrays, schema=FRAMES)


def _wrap(values: np.ndarray | None) -> pa.Array | None:
    if values is None:
        return None
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    offsets = pa.py_buffer(np.array([0, buffer.size], dtype=np.int64))
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets, buffer])


def _values(array: pa.LargeBinaryArray) -> Iterator[np.ndarray | None]:
    """Each value as uint8, a view of the column's one buffer (`as_py` and scalars would copy)."""
    _, offsets, data = array.buffers()
    valid = array.is_valid()
    starts = np.frombuffer(offsets, dtype=np.int64)[array.offset :]
    for row in range(len(array)):
        if not valid[row].as_py():
            yield None
        else:
            yield np.frombuffer(data, np.uint8)[starts[row] : starts[row + 1]]
