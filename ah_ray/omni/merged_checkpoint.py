"""A checkpoint with adapters merged in, written beside its base file by file.

Every file keeps its layout, so a tensor is read, changed and written at its own place: memory holds
one tensor, however large the model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.adapter import Adapter, read_adapter
from ah_ray.omni.checkpoint import find_checkpoint, fingerprint, thinker_tensors, weight_files
from ah_ray.omni.folder import Folder, open_folder
from ah_ray.omni.merging import Merge
from ah_ray.omni.safetensors_file import Tensor, tensors
from ah_ray.omni.turns import one_at_a_time
from ah_ray.omni.weight_names import weight_shapes

PROVENANCE = "merge.json"
_COPIED = (".json", ".txt", ".jinja")  # config, tokenizer, chat template, index
_COPY_BYTES = 16 << 20
_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}

Advance = Callable[[int], None]
"""Told of bytes written."""


def write_merged(
    base: Path, adapters: Sequence[Path], out: Path, advance: Advance = lambda _: None
) -> dict[str, Any]:
    """Writes base + adapters to the directory `out`, whole or not at all; returns its provenance.

    Sums are made in float32 and stored in the base's types. What is not the thinker's is copied.
    Raises ConfigError if `out` exists, or if an adapter does not fit.
    """
    if out.exists():
        raise ConfigError(f"--out {out} exists; name a new directory, or remove it")
    if not adapters:
        raise ConfigError("--adapter is missing: there is nothing to merge")
    find_checkpoint(str(base))
    folder = open_folder(base)
    loaded = [read_adapter(adapter) for adapter in adapters]
    merge = Merge(loaded, weight_shapes((t.name, t.shape) for t in thinker_tensors(folder)))
    _check_types(folder, merge)
    provenance = _provenance(base, loaded, merge)
    try:
        _write(folder, merge, provenance, out, advance)
    except OSError as error:
        raise StorageError(f"writing {out}: {error.strerror or error}") from error
    return provenance


def weight_bytes(base: Path) -> int:
    """What `advance` will have been told in the end."""
    folder = open_folder(base)
    return sum(folder.size_bytes(file) for file in weight_files(folder))


def _write(folder: Folder, merge: Merge, provenance: dict, out: Path, advance: Advance) -> None:
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(out, lambda: _refuse_second(out)):
        shutil.rmtree(partial, ignore_errors=True)  # of a merge that was killed
        partial.mkdir()
        try:
            _check_room(folder, partial)
            for name in folder.files:
                if name.endswith(_COPIED) and name != PROVENANCE:
                    shutil.copyfile(folder.uri(name), partial / name)
            for file in weight_files(folder):
                _write_file(folder, file, merge, partial / file, advance)
            (partial / PROVENANCE).write_text(json.dumps(provenance, indent=2) + "\n")
            partial.rename(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _refuse_second(out: Path) -> None:
    raise ConfigError(f"--out {out}: another merge is writing it; wait for it, or name another")


def _check_room(folder: Folder, partial: Path) -> None:
    needed = sum(folder.size_bytes(file) for file in weight_files(folder))
    free = shutil.disk_usage(partial).free
    if free < needed:
        raise ConfigError(
            f"--out: the merged model takes {needed / 1e9:.1f} GB and its disk has "
            f"{free / 1e9:.1f} GB left; name a directory on another disk"
        )


def _check_types(folder: Folder, merge: Merge) -> None:
    for tensor in thinker_tensors(folder):
        if tensor.dtype not in _DTYPES and merge.changes(tensor.name, tensor.shape):
            raise ConfigError(
                f"--base {folder.place}: {tensor.name} is {tensor.dtype}, to which nothing can be "
                "added; merge into the bf16 model that this one was quantised from"
            )


def _write_file(folder: Folder, file: str, merge: Merge, target: Path, advance: Advance) -> None:
    """A safetensors file with the same header, and each tensor at its place."""
    found = tensors(folder, file)
    with Path(folder.uri(file)).open("rb") as source, target.open("wb") as sink:
        _copy(source, sink, found[0].start if found else folder.size_bytes(file), advance)
        for tensor in found:
            size = tensor.stop - tensor.start
            if merge.changes(tensor.name, tensor.shape):
                sink.write(_merged(tensor, bytearray(source.read(size)), merge))
                advance(size)
            else:
                _copy(source, sink, size, advance)


def _copy(source: BinaryIO, sink: BinaryIO, size: int, advance: Advance) -> None:
    while size:
        piece = source.read(min(size, _COPY_BYTES))
        if not piece:
            raise OSError(f"{source.name} became shorter while it was read")
        sink.write(piece)
        advance(len(piece))
        size -= len(piece)


def _merged(tensor: Tensor, data: bytearray, merge: Merge) -> bytearray:
    values = torch.frombuffer(data, dtype=_DTYPES[tensor.dtype]).view(tensor.shape)
    merge.into(tensor.name, values)
    return data


def _provenance(base: Path, adapters: Sequence[Adapter], merge: Merge) -> dict[str, Any]:
    """What is written into the merged checkpoint: names and fingerprints, no paths."""
    return {
        "base": {"name": base.resolve().name, "fingerprint": fingerprint(base)},
        "adapters": [{"name": a.name, "fingerprint": a.fingerprint()} for a in adapters],
        "weights_changed": merge.n_weights,
        "ah_ray_version": version("ah_ray"),
        "merged_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
