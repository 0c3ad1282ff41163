"""Compare the weights of two checkpoints, in any layout and float type.

Only samples are read: the first values of each weight, and of every 16th expert.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ah_ray.omni.weights.checkpoint import list_thinker_tensors
from ah_ray.omni.weights.model_files import Folder
from ah_ray.omni.weights.weight_names import list_slices

_VALUES = 64
_EVERY_EXPERT = 16
_WIDTHS = {"F32": 4, "BF16": 2, "F16": 2}
_EXPERT = re.compile(r".+\.experts\.(\d+)\..+")


@dataclass(frozen=True, slots=True)
class _Sample:
    file: str
    dtype: str
    start: int
    stop: int


def have_same_weights(one: Folder, other: Folder) -> bool:
    """Return whether the weights agree by name, number and samples, to bf16's precision."""
    samples = [_find_samples(folder) for folder in (one, other)]
    if samples[0].keys() != samples[1].keys():
        return False
    values = [_read_samples(folder, its) for folder, its in zip((one, other), samples, strict=True)]
    return all(np.array_equal(values[0][name], values[1][name]) for name in values[0])


def _find_samples(folder: Folder) -> dict[str, _Sample]:
    return dict(_iterate_samples(folder))


def _iterate_samples(folder: Folder) -> Iterator[tuple[str, _Sample]]:
    for tensor in list_thinker_tensors(folder):
        width = _WIDTHS.get(tensor.dtype, 0)
        for place in list_slices(tensor.name, tensor.shape):
            expert = _EXPERT.fullmatch(place.name)
            if expert and int(expert[1]) % _EVERY_EXPERT:
                continue
            size = int(np.prod(place.shape, dtype=np.int64)) * width
            start = tensor.start
            if place.index:  # (expert, rows) of a tensor that holds all of a layer's
                index, rows = place.index
                each = int(np.prod(tensor.shape[1:], dtype=np.int64)) * width
                start += index * each + rows.start * tensor.shape[2] * width
            stop = start + min(size, _VALUES * width)
            yield place.name, _Sample(tensor.file, tensor.dtype, start, stop)


def _read_samples(folder: Folder, samples: dict[str, _Sample]) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for file in {sample.file for sample in samples.values()}:
        its = {name: sample for name, sample in samples.items() if sample.file == file}
        pieces = folder.read_spans(file, [(one.start, one.stop) for one in its.values()])
        for (name, sample), piece in zip(its.items(), pieces, strict=True):
            values[name] = _convert_to_bf16(piece, sample.dtype)
    return values


def _convert_to_bf16(piece: bytes, dtype: str) -> np.ndarray:
    """Return the bits of the values as bf16, rounded to nearest even as torch does."""
    if dtype == "BF16":
        return np.frombuffer(piece, np.uint16)
    if dtype not in _WIDTHS:
        return np.frombuffer(piece, np.uint8)
    wide = np.frombuffer(piece, np.float16 if dtype == "F16" else np.float32).astype(np.float32)
    bits = wide.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
