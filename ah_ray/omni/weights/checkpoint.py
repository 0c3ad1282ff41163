"""Find which directory holds a model, and compute a fingerprint of its content, without torch.

A directory of this machine is a `Path`; a folder of an object store is its URI, a `str`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.weights.adapter import read_adapter
from ah_ray.omni.weights.model_config import read_thinker_config
from ah_ray.omni.weights.model_files import Folder, Span, open_folder
from ah_ray.omni.weights.quantized_weights import check_dtypes, check_gguf
from ah_ray.omni.weights.safetensors_header import TensorEntry, list_tensors
from ah_ray.omni.weights.weight_names import is_of_other_model, strip_wrappers

TINY = "tiny"
_TINY_DIR = Path(__file__).parents[1] / "tiny"
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_SAMPLE_BYTES = 256
_STRIDE_BYTES = 4 << 20  # larger tensors are also sampled in between: fused experts, for example
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt", "tokenizer_config.json"))
_EXPERT = re.compile(r"model\.layers\.(\d+)\.mlp\.experts\.(\d+)\.(\w+)\.weight")
# Fields in which transformers describes itself, or that are only names: not part of the model.
_IGNORED_FIELDS = {"transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"}


def find_checkpoint(model: str) -> Path | str:
    """Return where a model lies: a Qwen3-Omni in the Hugging Face layout, complete or thinker only.

    `tiny` is the demonstration checkpoint inside this package; anything else is a directory, or the
    URI of a folder in an object store, which is checked there (`fetch_checkpoint` copies it). Raise
    ConfigError, which says what to do, if it cannot be loaded as it is.
    """
    place = _locate_model(model)
    if isinstance(place, Path) and not place.is_dir():
        raise ConfigError(
            f"--model {model}: no such directory; give `{TINY}`, or a directory with the config, "
            "tokenizer and safetensors weights of a Qwen3-Omni model"
        )
    try:
        folder = open_folder(place)
        check_gguf(folder)
        read_thinker_config(folder)
        if not list_tokenizer_names(folder):
            raise ConfigError(
                f"--model {model}: no tokenizer (tokenizer.json, or vocab.json with merges.txt "
                "and tokenizer_config.json); copy it from the model that this one was fine-tuned "
                "from"
            )
        found = list(list_thinker_tensors(folder))
        check_dtypes(folder, found)
        _check_experts(folder, found)
    except StorageError as error:
        raise ConfigError(f"--model {model}: {error}") from error
    return place


def _locate_model(model: str) -> Path | str:
    if model == TINY:
        return _TINY_DIR
    if storage.scheme(model) == "file":
        return Path(model).expanduser()
    return storage.normalise(model).rstrip("/")


def name_model(model: str, adapters: Sequence[str] = ()) -> str:
    """Return the name of a model in results: `tiny`, or the name of its directory, never a path.

    Adapters follow: `qwen3-omni+my-adapter`.
    """
    return "+".join(
        [TINY if model == TINY else _get_folder_name(model), *map(_get_folder_name, adapters)]
    )


def _get_folder_name(folder: str) -> str:
    if storage.scheme(folder) == "file":
        return Path(folder).expanduser().resolve().name
    return folder.rstrip("/").rpartition("/")[2]


def load_thinker_config(checkpoint: Path | str) -> dict[str, Any]:
    """Return the thinker's part of config.json. Raise ConfigError if it is not a Qwen3-Omni's."""
    return read_thinker_config(open_folder(checkpoint))


def list_tokenizer_files(checkpoint: Path) -> list[Path]:
    """Return the files of the tokenizer; [] if no set of them is complete."""
    return [checkpoint / name for name in list_tokenizer_names(open_folder(checkpoint))]


def list_tokenizer_names(folder: Folder) -> tuple[str, ...]:
    """Return the names of the tokenizer's files; () if no set of them is complete."""
    return next((names for names in _TOKENIZERS if all(n in folder for n in names)), ())


def list_weight_files(folder: Folder) -> list[str]:
    """Return the names of the checkpoint's safetensors files, sharded or single.

    Raise ConfigError if there are none, if they are pickles, or if the index names absent files.
    """
    checkpoint = folder.place
    if _INDEX in folder:
        try:
            shards = sorted(set(folder.read_json(_INDEX)["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError):
            raise ConfigError(
                f"--model {checkpoint}: {_INDEX} is damaged; fetch it again"
            ) from None
        absent = [name for name in shards if name not in folder]
        if absent:
            raise ConfigError(
                f"--model {checkpoint}: {len(absent)} of {len(shards)} weight files are absent, "
                f"first {absent[0]!r}; finish the download or copy"
            )
        if _SINGLE in folder and shards != [_SINGLE]:
            raise ConfigError(
                f"--model {checkpoint}: it holds {_SINGLE} and an {_INDEX} that names other "
                "files; remove what does not belong to this model"
            )
        return shards
    if _SINGLE in folder:
        return [_SINGLE]
    if any(name.endswith((".bin", ".pt", ".pth")) for name in folder.files):
        raise ConfigError(
            f"--model {checkpoint}: its weights are pickles, which are never loaded; save it again "
            "as safetensors (transformers: model.save_pretrained)"
        )
    raise ConfigError(f"--model {checkpoint}: no weights ({_SINGLE}, or shards with {_INDEX})")


def list_thinker_tensors(folder: Folder) -> Iterator[TensorEntry]:
    """Yield every tensor of the thinker in the checkpoint, by its name in the file."""
    for file in list_weight_files(folder):
        for tensor in list_tensors(folder, file):
            if not is_of_other_model(tensor.name):
                yield tensor


def _strip_prefixes(tensor: TensorEntry) -> str:
    return strip_wrappers(tensor.name).removeprefix("thinker.")


def _check_experts(folder: Folder, found_tensors: Sequence[TensorEntry]) -> None:
    """Raise ConfigError if a layer lacks an expert; transformers fails then without naming it."""
    found = {
        match.groups()
        for tensor in found_tensors
        if (match := _EXPERT.fullmatch(_strip_prefixes(tensor)))
    }
    n_experts = read_thinker_config(folder)["text_config"].get("num_experts", 0)
    for layer in sorted({layer for layer, _, _ in found}, key=int):
        for expert in range(n_experts):
            for part in ("gate_proj", "up_proj", "down_proj"):
                if (layer, str(expert), part) not in found:
                    raise ConfigError(
                        f"--model {folder.place}: its weights lack {part} of expert {expert} in "
                        f"layer {layer}; fetch or save it again"
                    )


def fingerprint(checkpoint: Path | str, adapters: Sequence[Path] = ()) -> str:
    """Return 16 hex digits of the model's content.

    They cover the thinker's config, the tokenizer, the name, type, shape and fixed samples of the
    bytes of every tensor, and then each adapter completely. They do not depend on where the model
    lies, how it is sharded, or whether it includes a talker. Reading samples instead of all 63 GB
    takes seconds (half a minute in an object store); fine-tuning changes every tensor that it
    trains.
    """
    folder = open_folder(checkpoint)
    digest = hashlib.sha256(_serialise_config(read_thinker_config(folder)))
    for name in list_tokenizer_names(folder):
        digest.update(hashlib.sha256(folder.read(name)).digest())
    samples: dict[str, bytes] = {}
    for file in list_weight_files(folder):
        samples |= _hash_samples(folder, file)
    for name in sorted(samples):
        digest.update(samples[name])
    for adapter in adapters:
        digest.update(read_adapter(adapter).fingerprint().encode())
    return digest.hexdigest()[:16]


def _serialise_config(config: dict[str, Any]) -> bytes:
    def drop_ignored(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: drop_ignored(v) for k, v in value.items() if k not in _IGNORED_FIELDS}
        return value

    return json.dumps(drop_ignored(config), sort_keys=True, separators=(",", ":")).encode()


def _hash_samples(folder: Folder, file: str) -> dict[str, bytes]:
    """Return a hash of each of the thinker's tensors in a file, by name."""
    found = [t for t in list_tensors(folder, file) if not is_of_other_model(t.name)]
    spans = {tensor: _choose_spans(tensor) for tensor in found}
    pieces = iter(folder.read_spans(file, [span for each in spans.values() for span in each]))
    digests = {}
    for tensor, its_spans in spans.items():
        text = f"{_strip_prefixes(tensor)} {tensor.dtype} {tensor.shape}".encode()
        read = b"".join(next(pieces) for _ in its_spans)
        digests[_strip_prefixes(tensor)] = hashlib.sha256(text + read).digest()
    return digests


def _choose_spans(tensor: TensorEntry) -> list[Span]:
    """Return where a tensor's samples lie: its first and last bytes, and some every few MiB.

    The last bytes touch the next tensor's first, so an object store is asked once for both.
    """
    last = max(tensor.start, tensor.stop - _SAMPLE_BYTES)
    starts = (*range(tensor.start, last, _STRIDE_BYTES), last)
    return [(start, min(start + _SAMPLE_BYTES, tensor.stop)) for start in starts]
