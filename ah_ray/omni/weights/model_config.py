"""Read the thinker's part of a checkpoint's config.json, and check what this project relies on."""

from __future__ import annotations

from typing import Any

from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.weights.model_files import Folder
from ah_ray.omni.weights.quantized_weights import check_quantization

_PARTS = ("text_config", "vision_config", "audio_config")
_COUNTS = {
    "text_config": ("num_hidden_layers", "num_experts"),
    "vision_config": ("depth",),
    "audio_config": ("encoder_layers",),
}
_MAX_COUNT = 10_000  # the released models have 48 layers of 128 experts
_OTHER_WEIGHTS = "transformers_weights"
"""A setting that makes transformers load another file than the one that is checked here."""


def read_thinker_config(folder: Folder) -> dict[str, Any]:
    """Return the thinker's part of config.json. Raise ConfigError if it is not a Qwen3-Omni's."""
    where = f"--model {folder.place}: config.json"
    try:
        config = folder.read_json("config.json")
    except StorageError:
        raise ConfigError(f"--model {folder.place}: no config.json that can be read") from None
    except ValueError as error:
        raise ConfigError(f"{where} is not JSON: {error}") from None
    thinker = config.get("thinker_config", config) if isinstance(config, dict) else None
    if not isinstance(thinker, dict):
        raise ConfigError(f"{where} is not JSON of a model")
    if thinker.get("model_type") != "qwen3_omni_moe_thinker":
        kind = str(config.get("model_type", "nameless"))[:80]
        raise ConfigError(
            f"{where} belongs to a {kind!r} model; give a Qwen3-Omni (qwen3_omni_moe, or its "
            "thinker alone)"
        )
    if _OTHER_WEIGHTS in config or _OTHER_WEIGHTS in thinker:
        raise ConfigError(f"{where} names other weights with {_OTHER_WEIGHTS}; remove that field")
    check_quantization(folder, config)
    # transformers would fill these in with defaults that differ from every released model's.
    for name in (*_PARTS, "position_id_per_seconds"):
        if name not in thinker:
            raise ConfigError(
                f"{where} lacks {name}; copy config.json from the model that this one was "
                "fine-tuned from"
            )
    for name in _PARTS:
        _check_part(f"{where}: {name}", thinker[name], _COUNTS[name])
    return thinker


def _check_part(where: str, part: object, counts: tuple[str, ...]) -> None:
    if not isinstance(part, dict):
        raise ConfigError(f"{where} is not JSON of a model; copy it again")
    for name in counts:
        value = part.get(name, 0)
        if type(value) is not int or not 0 <= value <= _MAX_COUNT:
            raise ConfigError(f"{where}.{name} is {str(value)[:80]}; copy it again")
