"""Which directory holds a model, and a fingerprint of what is in it. No torch in here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ah_ray.errors import ConfigError

TINY = "tiny"
_TINY_DIR = Path(__file__).parent / "tiny"
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_SAMPLE_BYTES = 256
_NOT_THE_THINKER = ("talker.", "code2wav.")
_EXPERT = re.compile(r"model\.layers\.(\d+)\.mlp\.experts\.(\d+)\.(\w+)\.weight")
# What transformers writes about itself, or what only names things: no part of the model.
_BYSTANDERS = {"transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"}


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int  # of its bytes in the file
    end: int


def find_checkpoint(model: str) -> Path:
    """The directory of a model in the Hugging Face layout of Qwen3-Omni, full or thinker only.

    `tiny` is the demonstration checkpoint inside this package; anything else is a directory.
    Raises ConfigError, with the mend, if it cannot be loaded as it is.
    """
    checkpoint = _TINY_DIR if model == TINY else Path(model).expanduser()
    if not checkpoint.is_dir():
        raise ConfigError(
            f"--model {model}: no such directory; give `{TINY}`, or a directory with the config, "
            "tokenizer and safetensors weights of a Qwen3-Omni model"
        )
    thinker_config(checkpoint)
    if not tokenizer_files(checkpoint):
        raise ConfigError(
            f"--model {model}: no tokenizer (tokenizer.json, or vocab.json with merges.txt and "
            "tokenizer_config.json); copy it from the model that this one was fine-tuned from"
        )
    _check_experts(checkpoint)
    return checkpoint


def model_name(model: str) -> str:
    """How the model is called in results: `tiny`, or the directory's own name, never a path."""
    return model if model == TINY else Path(model).expanduser().resolve().name


def thinker_config(checkpoint: Path) -> dict:
    """The thinker's part of config.json. Raises ConfigError if it is not a Qwen3-Omni's."""
    path = checkpoint / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError(f"--model {checkpoint}: no config.json that can be read") from None
    except ValueError as error:
        raise ConfigError(f"--model {checkpoint}: config.json is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"--model {checkpoint}: config.json is not JSON of a model")
    thinker = config.get("thinker_config", config)
    if thinker.get("model_type") != "qwen3_omni_moe_thinker":
        raise ConfigError(
            f"--model {checkpoint}: config.json is of a {config.get('model_type', 'nameless')!r} "
            "model; only Qwen3-Omni (qwen3_omni_moe, or its thinker alone) can be scored with"
        )
    # transformers would fill these in with defaults that differ from every released model's.
    for name in ("text_config", "vision_config", "audio_config", "position_id_per_seconds"):
        if name not in thinker:
            raise ConfigError(
                f"--model {checkpoint}: config.json lacks {name}; copy config.json from the "
                "model that this one was fine-tuned from"
            )
    return thinker


def tokenizer_files(checkpoint: Path) -> list[Path]:
    """The files that make the tokenizer, or none if there is no whole set of them."""
    whole = checkpoint / "tokenizer.json"
    if whole.is_file():
        return [whole]
    parts = [checkpoint / n for n in ("vocab.json", "merges.txt", "tokenizer_config.json")]
    return parts if all(part.is_file() for part in parts) else []


def weight_files(checkpoint: Path) -> list[Path]:
    """The safetensors files of the checkpoint, sharded or single.

    Raises ConfigError if there are none, if they are pickles, or if the index names absent ones.
    """
    index = checkpoint / _INDEX
    if index.is_file():
        try:
            shards = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (ValueError, KeyError, AttributeError):
            raise ConfigError(
                f"--model {checkpoint}: {_INDEX} is damaged; fetch it again"
            ) from None
        absent = [name for name in shards if not (checkpoint / name).is_file()]
        if absent:
            raise ConfigError(
                f"--model {checkpoint}: {len(absent)} of {len(shards)} weight files are absent, "
                f"first {absent[0]}; finish the download or copy"
            )
        return [checkpoint / name for name in shards]
    if (checkpoint / _SINGLE).is_file():
        return [checkpoint / _SINGLE]
    if any(checkpoint.glob("*.bin")) or any(checkpoint.glob("*.pt")):
        raise ConfigError(
            f"--model {checkpoint}: its weights are pickles, which are never loaded; save it again "
            "as safetensors (transformers: model.save_pretrained)"
        )
    raise ConfigError(f"--model {checkpoint}: no weights ({_SINGLE}, or shards with {_INDEX})")


def _check_experts(checkpoint: Path) -> None:
    """Each layer has all its experts. (transformers fails on a gap without naming it.)"""
    found = {
        match.groups()
        for path in weight_files(checkpoint)
        for tensor in _tensors(path)
        if (match := _EXPERT.fullmatch(tensor.name))
    }
    n_experts = thinker_config(checkpoint)["text_config"].get("num_experts", 0)
    for layer in sorted({layer for layer, _, _ in found}, key=int):
        for expert in range(n_experts):
            for part in ("gate_proj", "up_proj", "down_proj"):
                if (layer, str(expert), part) not in found:
                    raise ConfigError(
                        f"--model {checkpoint}: its weights lack {part} of expert {expert} in "
                        f"layer {layer}; fetch or save it again"
                    )


def fingerprint(checkpoint: Path) -> str:
    """16 hex digits of what the model is: thinker's config, tokenizer, and of every tensor the
    name, type, shape and three fixed samples of its bytes.

    Where it lies, how it is sharded, and whether a talker comes with it do not enter. Reading
    samples instead of all 63 GB keeps this to seconds; a fine-tune changes every tensor it trains.
    """
    digest = hashlib.sha256(_canonical(thinker_config(checkpoint)))
    for path in tokenizer_files(checkpoint):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    samples: dict[str, bytes] = {}
    for path in weight_files(checkpoint):
        with path.open("rb") as file:
            for tensor in _tensors(path):
                samples[tensor.name] = _sample(file, tensor)
    for name in sorted(samples):
        digest.update(samples[name])
    return digest.hexdigest()[:16]


def _canonical(config: dict) -> bytes:
    def kept(value):
        if isinstance(value, dict):
            return {k: kept(v) for k, v in value.items() if k not in _BYSTANDERS}
        return value

    return json.dumps(kept(config), sort_keys=True, separators=(",", ":")).encode()


def _tensors(path: Path) -> Iterator[_Tensor]:
    """The thinker's tensors of a safetensors file, from its header (8 bytes of length, JSON)."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        size = path.stat().st_size
        for name, entry in header.items():
            if name == "__metadata__" or name.startswith(_NOT_THE_THINKER):
                continue
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            if end > size:
                raise ValueError("shorter than its header says")
            yield _Tensor(
                re.sub(r"^thinker\.", "", name),
                entry["dtype"],
                tuple(entry["shape"]),
                path,
                start,
                end,
            )
    except (ValueError, KeyError, MemoryError, OverflowError) as error:
        raise ConfigError(
            f"--model: {path} is not a whole safetensors file ({error}); fetch it again"
        ) from None


def _sample(file, tensor: _Tensor) -> bytes:
    digest = hashlib.sha256(f"{tensor.name} {tensor.dtype} {tensor.shape}".encode())
    last = max(tensor.start, tensor.end - _SAMPLE_BYTES)
    for start in (tensor.start, (tensor.start + last) // 2, last):
        file.seek(start)
        digest.update(file.read(min(_SAMPLE_BYTES, tensor.end - start)))
    return digest.digest()
