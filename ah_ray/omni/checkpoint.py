"""Which directory holds a model, and a fingerprint of what is in it. No torch in here.

A directory of this machine is a `Path`; a folder of an object store is its URI, a `str`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.adapter import read_adapter
from ah_ray.omni.folder import Folder, Span, open_folder
from ah_ray.omni.model_config import read_thinker_config
from ah_ray.omni.safetensors_file import Tensor, tensors
from ah_ray.omni.weight_names import OTHER_MODELS

TINY = "tiny"
_TINY_DIR = Path(__file__).parent / "tiny"
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_SAMPLE_BYTES = 256
_STRIDE_BYTES = 4 << 20  # larger tensors are sampled in between too: experts fused into one, say
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt", "tokenizer_config.json"))
_EXPERT = re.compile(r"model\.layers\.(\d+)\.mlp\.experts\.(\d+)\.(\w+)\.weight")
# What transformers writes about itself, or what only names things: no part of the model.
_BYSTANDERS = {"transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"}


def find_checkpoint(model: str) -> Path | str:
    """The place of a model in the Hugging Face layout of Qwen3-Omni, full or thinker only.

    `tiny` is the demonstration checkpoint inside this package; anything else is a directory, or
    the URI of a folder in an object store, which is checked there (`local_checkpoint` copies it).
    Raises ConfigError, with the mend, if it cannot be loaded as it is.
    """
    place = _place(model)
    if isinstance(place, Path) and not place.is_dir():
        raise ConfigError(
            f"--model {model}: no such directory; give `{TINY}`, or a directory with the config, "
            "tokenizer and safetensors weights of a Qwen3-Omni model"
        )
    try:
        folder = open_folder(place)
        read_thinker_config(folder)
        if not _tokenizer_names(folder):
            raise ConfigError(
                f"--model {model}: no tokenizer (tokenizer.json, or vocab.json with merges.txt "
                "and tokenizer_config.json); copy it from the model that this one was fine-tuned "
                "from"
            )
        _check_experts(folder)
    except StorageError as error:
        raise ConfigError(f"--model {model}: {error}") from error
    return place


def _place(model: str) -> Path | str:
    if model == TINY:
        return _TINY_DIR
    if storage.scheme(model) == "file":
        return Path(model).expanduser()
    return storage.normalise(model).rstrip("/")


def model_name(model: str, adapters: Sequence[str] = ()) -> str:
    """How the model is called in results: `tiny`, or the directory's own name, never a path.

    Adapters follow: `qwen3-omni+my-adapter`.
    """
    return "+".join([TINY if model == TINY else _own_name(model), *map(_own_name, adapters)])


def _own_name(folder: str) -> str:
    if storage.scheme(folder) == "file":
        return Path(folder).expanduser().resolve().name
    return folder.rstrip("/").rpartition("/")[2]


def thinker_config(checkpoint: Path | str) -> dict:
    """The thinker's part of config.json. Raises ConfigError if it is not a Qwen3-Omni's."""
    return read_thinker_config(open_folder(checkpoint))


def tokenizer_files(checkpoint: Path) -> list[Path]:
    """The files that make the tokenizer, or none if there is no whole set of them."""
    return [checkpoint / name for name in _tokenizer_names(open_folder(checkpoint))]


def _tokenizer_names(folder: Folder) -> tuple[str, ...]:
    return next((names for names in _TOKENIZERS if all(n in folder for n in names)), ())


def weight_files(folder: Folder) -> list[str]:
    """The names of the checkpoint's safetensors files, sharded or single.

    Raises ConfigError if there are none, if they are pickles, or if the index names absent ones.
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
                f"--model {checkpoint}: it holds {_SINGLE}, and {_INDEX} that names others; "
                "remove what is not this model"
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


def thinker_tensors(folder: Folder) -> Iterator[Tensor]:
    """Every tensor of the thinker in the checkpoint, by its name in the file."""
    for file in weight_files(folder):
        for tensor in tensors(folder, file):
            if not tensor.name.startswith(OTHER_MODELS):
                yield tensor


def _plain(tensor: Tensor) -> str:
    return tensor.name.removeprefix("thinker.")


def _check_experts(folder: Folder) -> None:
    """Each layer has all its experts. (transformers fails on a gap without naming it.)"""
    found = {
        match.groups()
        for tensor in thinker_tensors(folder)
        if (match := _EXPERT.fullmatch(_plain(tensor)))
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
    """16 hex digits of what the model is: thinker's config, tokenizer, and of every tensor the
    name, type, shape and fixed samples of its bytes; then all of each adapter.

    Where it lies, how it is sharded, and whether a talker comes with it do not enter. Reading
    samples instead of all 63 GB keeps this to seconds (half a minute in an object store); a
    fine-tune changes every tensor it trains.
    """
    folder = open_folder(checkpoint)
    digest = hashlib.sha256(_canonical(read_thinker_config(folder)))
    for name in _tokenizer_names(folder):
        digest.update(hashlib.sha256(folder.read(name)).digest())
    samples: dict[str, bytes] = {}
    for file in weight_files(folder):
        samples |= _samples(folder, file)
    for name in sorted(samples):
        digest.update(samples[name])
    for adapter in adapters:
        digest.update(read_adapter(adapter).fingerprint().encode())
    return digest.hexdigest()[:16]


def _canonical(config: dict) -> bytes:
    def kept(value):
        if isinstance(value, dict):
            return {k: kept(v) for k, v in value.items() if k not in _BYSTANDERS}
        return value

    return json.dumps(kept(config), sort_keys=True, separators=(",", ":")).encode()


def _samples(folder: Folder, file: str) -> dict[str, bytes]:
    """A hash of each of the thinker's tensors in a file, by name."""
    found = [t for t in tensors(folder, file) if not t.name.startswith(OTHER_MODELS)]
    spans = {tensor: _spans(tensor) for tensor in found}
    pieces = iter(folder.read_spans(file, [span for each in spans.values() for span in each]))
    digests = {}
    for tensor, its_spans in spans.items():
        text = f"{_plain(tensor)} {tensor.dtype} {tensor.shape}".encode()
        read = b"".join(next(pieces) for _ in its_spans)
        digests[_plain(tensor)] = hashlib.sha256(text + read).digest()
    return digests


def _spans(tensor: Tensor) -> list[Span]:
    """Where its samples lie: its first and last bytes, and some every few MiB between them.

    The last ones touch the next tensor's first, so an object store is asked once for both.
    """
    last = max(tensor.start, tensor.stop - _SAMPLE_BYTES)
    starts = (*range(tensor.start, last, _STRIDE_BYTES), last)
    return [(start, min(start + _SAMPLE_BYTES, tensor.stop)) for start in starts]
