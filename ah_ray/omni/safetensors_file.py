"""What a safetensors file holds, from its header: 8 bytes of length, JSON, then the tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ah_ray.errors import ConfigError
from ah_ray.omni.folder import Folder

_HEADER_BYTES = 100 << 20  # the format's own limit
_GUESS_BYTES = 256 << 10  # most headers are shorter, and come in one read
_MAX_DIMENSIONS = 16
_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file, not read."""

    name: str
    dtype: str  # as the format writes it: F32, BF16, …
    shape: tuple[int, ...]
    file: str
    start: int  # of its bytes in the file
    stop: int


def tensors(folder: Folder, file: str) -> list[Tensor]:
    """All tensors of a file, in the order of their bytes.

    Raises ConfigError if it is not a whole safetensors file.
    """
    try:
        found = list(_read(folder, file))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{folder.uri(file)} is not a whole safetensors file ({error}); fetch it again"
        ) from None
    return sorted(found, key=lambda tensor: tensor.start)


def _read(folder: Folder, file: str) -> Iterator[Tensor]:
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
        start, stop = (8 + length + offset for offset in _sizes(entry["data_offsets"]))
        shape, dtype = _sizes(entry["shape"]), entry["dtype"]
        if not isinstance(dtype, str):
            raise ValueError("a type of its header is no name")
        if not start <= stop <= size:
            raise ValueError("shorter than its header says")
        if dtype in _BYTES and math.prod(shape) * _BYTES[dtype] != stop - start:
            raise ValueError(f"{name} is not as long as its shape says")
        yield Tensor(name, dtype, shape, file, start, stop)


def _sizes(values: object) -> tuple[int, ...]:
    """A list of a few whole numbers, none negative, as it comes out of JSON."""
    if not isinstance(values, list) or len(values) > _MAX_DIMENSIONS:
        raise ValueError("a shape or place of its header is no list of a few numbers")
    if not all(type(value) is int and value >= 0 for value in values):
        raise ValueError("a shape or place of its header holds what is no size")
    return tuple(values)
