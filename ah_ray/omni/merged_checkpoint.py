"""Write a checkpoint with adapters merged in, file by file.

Every file keeps its layout: a tensor is read, changed and written in place, so memory holds one
tensor, however large the model is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ah_ray.errors import ConfigError, StorageError
from ah_ray.file_lock import hold_file_lock
from ah_ray.installation import ah_ray_version
from ah_ray.interfaces.callbacks import BytesCallback, ignore_bytes
from ah_ray.omni.inputs.tokenizer_check import check_tokenizers
from ah_ray.omni.weights.adapter import Adapter, read_adapter
from ah_ray.omni.weights.adapter_base import MERGE_RECORD, check_base, describe_base
from ah_ray.omni.weights.checkpoint import find_checkpoint, list_thinker_tensors, list_weight_files
from ah_ray.omni.weights.merging import Merge
from ah_ray.omni.weights.model_files import Folder, open_folder
from ah_ray.omni.weights.safetensors_header import TensorEntry, list_tensors
from ah_ray.omni.weights.training_record import (
    LEARNED_FROM,
    find_training_record,
    models_learned_from,
)
from ah_ray.omni.weights.weight_names import collect_weight_shapes, is_of_other_model
from ah_ray.profile import load_profile

_COPIED = (".json", ".txt", ".jinja")  # config, tokenizer, chat template, index
_COPY_BYTES = 16 << 20
_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def write_merged_checkpoint(
    base: Path,
    adapters: Sequence[Path],
    out: Path,
    on_bytes: BytesCallback = ignore_bytes,
    *,
    any_base: bool = True,
) -> dict[str, Any]:
    """Write base + adapters to the directory `out`, completely or not at all.

    Return the record of the merge, as in `merge.json`. Sums are computed in float32 and stored in
    the base's types. Tensors of other models (the talker, the vocoder) are copied. Raise
    ConfigError if `out` exists, or if an adapter does not fit. Without `any_base` the records of
    base and adapters are compared too (`check_base`), as jobs/merge.py does.
    """
    if out.exists():
        raise ConfigError(f"--out {out} exists; name a new directory, or remove it")
    if not adapters:
        raise ConfigError("--adapter is missing: there is nothing to merge")
    find_checkpoint(str(base))
    check_tokenizers(base, adapters, load_profile("seed"))
    folder = open_folder(base)
    loaded = [read_adapter(adapter) for adapter in adapters]
    if not any_base:
        check_base(base, loaded)
    merge = Merge(
        loaded, collect_weight_shapes((t.name, t.shape) for t in list_thinker_tensors(folder))
    )
    _check_dtypes(folder, merge)
    provenance = _describe_merge(base, loaded, merge)
    try:
        _write_checkpoint(folder, merge, provenance, out, on_bytes)
    except OSError as error:
        raise StorageError(f"writing {out}: {error.strerror or error}") from error
    return provenance


def count_weight_bytes(base: Path) -> int:
    """Return the bytes that `on_bytes` will have received in the end."""
    folder = open_folder(base)
    return sum(folder.size_bytes(file) for file in list_weight_files(folder))


def _write_checkpoint(
    folder: Folder, merge: Merge, provenance: dict[str, Any], out: Path, on_bytes: BytesCallback
) -> None:
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    with hold_file_lock(out, lambda: _refuse_second_merge(out)):
        shutil.rmtree(partial, ignore_errors=True)  # left by a merge that was killed
        partial.mkdir()
        try:
            _check_disk_space(folder, partial)
            for name in folder.files:
                if name.endswith(_COPIED) and name != MERGE_RECORD:
                    shutil.copyfile(folder.uri(name), partial / name)
            for file in list_weight_files(folder):
                _write_file(folder, file, merge, partial / file, on_bytes)
            (partial / MERGE_RECORD).write_text(json.dumps(provenance, indent=2) + "\n")
            partial.rename(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _refuse_second_merge(out: Path) -> None:
    raise ConfigError(
        f"--out {out}: another merge is writing it; wait for it, or name another directory"
    )


def _check_disk_space(folder: Folder, partial: Path) -> None:
    needed = sum(folder.size_bytes(file) for file in list_weight_files(folder))
    free = shutil.disk_usage(partial).free
    if free < needed:
        raise ConfigError(
            f"--out: the merged model takes {needed / 1e9:.1f} GB and its disk has "
            f"{free / 1e9:.1f} GB left; name a directory on another disk"
        )


def _check_dtypes(folder: Folder, merge: Merge) -> None:
    for tensor in list_thinker_tensors(folder):
        if tensor.dtype not in _DTYPES and merge.changes(tensor.name, tensor.shape):
            raise ConfigError(
                f"--base {folder.place}: {tensor.name} is {tensor.dtype}, to which nothing can be "
                "added; merge into the bf16 model that this one was quantised from"
            )


def _write_file(
    folder: Folder, file: str, merge: Merge, target: Path, on_bytes: BytesCallback
) -> None:
    """Write a safetensors file with the same header, and each tensor at the same offset."""
    found = list_tensors(folder, file)
    with Path(folder.uri(file)).open("rb") as source, target.open("wb") as sink:
        _copy_bytes(source, sink, found[0].start if found else folder.size_bytes(file), on_bytes)
        for tensor in found:
            size = tensor.stop - tensor.start
            if merge.changes(tensor.name, tensor.shape):
                sink.write(_merge_tensor(tensor, bytearray(source.read(size)), merge))
                on_bytes(size)
            else:
                of_thinker = not is_of_other_model(tensor.name)
                _copy_bytes(source, sink, size, on_bytes, tensor if of_thinker else None)


def _copy_bytes(
    source: BinaryIO,
    sink: BinaryIO,
    size: int,
    on_bytes: BytesCallback,
    tensor: TensorEntry | None = None,
) -> None:
    """Copy `size` bytes; those of `tensor` must be finite."""
    while size:
        piece = source.read(min(size, _COPY_BYTES))
        if not piece:
            raise OSError(f"{source.name} became shorter while it was read")
        if tensor is not None and _has_non_finite(piece, tensor.dtype):
            raise ConfigError(
                f"--base {source.name}: {tensor.name} holds NaN or infinity, so no model was "
                "written; fetch or train the base again"
            )
        sink.write(piece)
        on_bytes(len(piece))
        size -= len(piece)


def _has_non_finite(piece: bytes, dtype: str) -> bool:
    """Return whether values of a type that adapters can be merged into hold NaN or infinity."""
    if dtype not in _DTYPES:
        return False
    values = torch.frombuffer(bytearray(piece), dtype=_DTYPES[dtype])
    return not bool(torch.isfinite(values).all())


def _merge_tensor(tensor: TensorEntry, data: bytearray, merge: Merge) -> bytearray:
    values = torch.frombuffer(data, dtype=_DTYPES[tensor.dtype]).view(tensor.shape)
    merge.apply_to(tensor.name, values)
    return data


def _describe_merge(base: Path, adapters: Sequence[Adapter], merge: Merge) -> dict[str, Any]:
    """Return the record of the merged checkpoint: names and fingerprints, without paths."""
    record = find_training_record(base, *(adapter.path for adapter in adapters))
    known = models_learned_from(base, *(adapter.path for adapter in adapters))
    return {
        "base": describe_base(base.resolve().name, base),
        "adapters": [{"name": a.name, "fingerprint": a.fingerprint()} for a in adapters],
        **({"trained": record.to_json()} if record else {}),
        **({LEARNED_FROM: [one.model_dump(mode="json") for one in known]} if known else {}),
        "weights_changed": merge.n_weights,
        "ah_ray_version": ah_ray_version(),
        "merged_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
