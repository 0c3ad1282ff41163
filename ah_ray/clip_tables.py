"""Decoded clips as rows of an Arrow table. Pixels are wrapped, never copied."""

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
    ("sampled_s", pa.float64()),
    ("error_kind", pa.string()),
    ("error", pa.string()),
    ("shape", pa.list_(pa.int32())),  # T, H, W, 3
    ("frames", pa.large_binary()),  # uint8, C order
    ("samples", pa.large_binary()),  # float32
]


def make_row(schema: pa.Schema, **values: Any) -> pa.Table:
    """Return a table of one row. Columns that are not given are null."""
    arrays = []
    for field in schema:
        value = values.get(field.name)
        arrays.append(value if isinstance(value, pa.Array) else pa.array([value], field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def clip_columns(clip: Clip) -> dict[str, Any]:
    """Return the FIELDS of a clip, for `make_row`."""
    frames = None if clip.frames is None else np.ascontiguousarray(clip.frames)
    return {
        "clip_index": clip.clip_index,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "sampled_s": clip.sampled_s,
        "error_kind": clip.error_kind,
        "error": clip.error,
        "shape": None if frames is None else list(frames.shape),
        "frames": _wrap(frames),
        "samples": _wrap(clip.samples),
    }


def iterate_clips(table: pa.Table) -> Iterator[Clip]:
    """Yield the clips of a table that has these FIELDS among its columns.

    Their arrays are read-only views of the table's buffers.
    """
    names = [name for name, _ in FIELDS if name not in ("frames", "samples")]
    for batch in table.select([name for name, _ in FIELDS]).to_batches():
        frames, samples = _values(batch["frames"]), _values(batch["samples"])
        for row, its_frames, its_samples in zip(
            batch.select(names).to_pylist(), frames, samples, strict=True
        ):
            yield Clip(
                clip_index=row["clip_index"],
                start_s=row["start_s"],
                end_s=row["end_s"],
                sampled_s=row["sampled_s"],
                frames=None if its_frames is None else its_frames.reshape(row["shape"]),
                samples=None if its_samples is None else its_samples.view(np.float32),
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
    """Yield each value as a uint8 view of the column's buffer (`as_py` and scalars would copy)."""
    _, offsets, data = array.buffers()
    valid = array.is_valid()
    starts = np.frombuffer(offsets, dtype=np.int64)[array.offset :]
    for row in range(len(array)):
        if not valid[row].as_py():
            yield None
        else:
            yield np.frombuffer(data, np.uint8)[starts[row] : starts[row + 1]]
