"""Recognise checkpoints with quantised weights, from their config and their files' headers.

transformers would need another library for each kind, or would load some of them as if their
numbers were weights. None of them is scored with: use the model that they were made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.model_files import Folder
from ah_ray.omni.weights.safetensors_header import TensorEntry

_IN_CONFIG = ("quantization_config", "compression_config", "quantization")
_FILES = {
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
    "hf_quant_config.json": "modelopt",
}
_FLOATS = {"F64", "F32", "BF16", "F16"}
_ADVICE = (
    "give the bf16 model that it was quantised from (--arithmetic fp8 computes in 8 bits on a GPU "
    "that can)"
)


def check_quantization(folder: Folder, config: Mapping[str, Any]) -> None:
    """Raise ConfigError if config.json, or a file beside it, says that weights are quantised."""
    if method := _find_method(config) or next((_FILES[n] for n in _FILES if n in folder), None):
        raise ConfigError(
            f"--model {folder.place}: its weights are quantised ({method}), and cannot be scored "
            f"with; {_ADVICE}"
        )


def check_gguf(folder: Folder) -> None:
    """Raise ConfigError if the weights are GGUF files: there are some, and no safetensors."""
    names = sorted(folder.files)
    gguf = next((name for name in names if name.lower().endswith(".gguf")), None)
    if gguf and not any(name.endswith(".safetensors") for name in names):
        raise ConfigError(
            f"--model {folder.place}: {gguf!r} is a quantised model for llama.cpp (GGUF), and "
            f"cannot be scored with; {_ADVICE}"
        )


def check_dtypes(folder: Folder, tensors: Iterable[TensorEntry]) -> None:
    """Raise ConfigError, which names the first tensor whose numbers are not plain floats."""
    for tensor in tensors:
        if tensor.dtype not in _FLOATS:
            raise ConfigError(
                f"--model {folder.place}: {tensor.name} is {tensor.dtype}, so the weights are "
                "quantised; merge into the bf16 model that this one was quantised from, or score "
                "with it"
            )


def _find_method(config: Mapping[str, Any]) -> str | None:
    """Return how the weights are quantised, if any part of the config says so."""
    for name in _IN_CONFIG:
        if settings := config.get(name):
            method = settings.get("quant_method") if isinstance(settings, Mapping) else None
            return str(method or name)[:80]
    parts = (part for part in config.values() if isinstance(part, Mapping))
    return next((method for part in parts if (method := _find_method(part))), None)
