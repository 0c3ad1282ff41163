"""Decoded clips as rows of an Arrow table, one a row; their pixels are wrapped, never copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ah_ray.errors import ErrorKind
from ah_ray.records import Clip

FIELDS = [
    ("clip_index", pa.int32()),
    ("start_s", pa.float64()),
    ("end_s", pa.float64()),
    ("error_kind", pa.string()),
    ("error", pa.string()),
    ("shape", pa.list_(pa.int32())),  # T, H, W, 3
    ("frames", pa.large_binary()),  # uint8, C order
    ("samples", pa.large_binary()),  # float32
]


def one_row(schema: pa.Schema, **values: Any) -> pa.Table:
    """A table of one row; what is not given is null."""
    arrays = []
    for field in schema:
        value = values.get(field.name)
        arrays.append(value if isinstance(value, pa.Array) else pa.array([value], field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def columns_of(clip: Clip) -> dict[str, Any]:
    """The FIELDS of a clip, for `one_row`."""
    frames = None if clip.frames is None else np.ascontiguousarray(clip.frames)
    return {
        "clip_index": clip.clip_index,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "error_kind": clip.error_kind,
        "error": clip.error,
        "shape": None if frames is None else list(frames.shape),
        "frames": _wrap(frames),
        "samples": _wrap(clip.samples),
    }


def clips_of(table: pa.Table) -> Iterator[Clip]:
    """The clips of a table that has these FIELDS among its columns; their arrays are read-only
    views of its buffers."""
    names = [name for name, _ in FIELDS if name not in ("frames", "samples")]
    for batch in table.select([name for name, _ in FIELDS]).to_batches():
        frames, samples = _values(batch["frames"]), _values(batch["samples"])
        for row, its_frames, its_samples in zip(
            batch.select(names).to_pylist(), frames, samples, strict=True
        ):
            whole = its_frames is not None
            yield Clip(
                clip_index=row["clip_index"],
                start_s=row["start_s"],
                end_s=row["end_s"],
                frames=its_frames.reshape(row["shape"]) if whole else None,
                samples=its_samples.view(np.float32) if whole else None,
                error_kind=row["error_kind"] and ErrorKind(row["error_kind"]),
                error=row["error"],
            )


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
