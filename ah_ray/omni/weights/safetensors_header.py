"""Read the header of a safetensors file: 8 bytes of length, JSON, then the tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.model_files import Folder

_HEADER_BYTES = 100 << 20  # the format's own limit
_GUESS_BYTES = 256 << 10  # most headers are shorter, and come in one read
_MAX_DIMENSIONS = 16
_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a file, by its header; its values are not read."""

    name: str
    dtype: str  # as the format writes it: F32, BF16, …
    shape: tuple[int, ...]
    file: str
    start: int  # of its bytes in the file
    stop: int


def list_tensors(folder: Folder, file: str) -> list[TensorEntry]:
    """Return all tensors of a file, in the order of their bytes.

    Raise ConfigError if it is not a complete safetensors file.
    """
    try:
        found = list(_parse_header(folder, file))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{folder.uri(file)} is not a whole safetensors file ({error}); fetch it again"
        ) from None
    return sorted(found, key=lambda tensor: tensor.start)


def _parse_header(folder: Folder, file: str) -> Iterator[TensorEntry]:
    size = folder.size_bytes(file)
    (begin,) = folder.read_spans(file, [(0, min(size, _GUESS_BYTES))])
    length = int.from_bytes(begin[:8], "little")
    if length > min(size, _HEADER_BYTES):
        raise ValueError("its header is longer than itself")
    if len(begin) < 8 + length:
        (begin,) = folder.read_spans(file, [(0, 8 + length)])
    for name, entry in json.loads(begin[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        start, stop = (8 + length + offset for offset in _check_sizes(entry["data_offsets"]))
        shape, dtype = _check_sizes(entry["shape"]), entry["dtype"]
        if not isinstance(dtype, str):
            raise ValueError("a type in its header is not a name")
        if not start <= stop <= size:
            raise ValueError("it is shorter than its header says")
        if dtype in _BYTES and math.prod(shape) * _BYTES[dtype] != stop - start:
            raise ValueError(f"the length of {name} does not match its shape")
        yield TensorEntry(name, dtype, shape, file, start, stop)


def _check_sizes(values: object) -> tuple[int, ...]:
    """Return a list of a few non-negative integers from JSON as a tuple, or raise ValueError."""
    if not isinstance(values, list) or len(values) > _MAX_DIMENSIONS:
        raise ValueError("a shape or offset in its header is not a short list of numbers")
    if not all(type(value) is int and value >= 0 for value in values):
        raise ValueError("a shape or offset in its header holds something other than a size")
    return tuple(values)
