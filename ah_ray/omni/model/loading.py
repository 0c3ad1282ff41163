"""Load a checkpoint's files into a model on one device or several, and name every mismatch.

The family is Qwen3-Omni; another one is chosen in `ah_ray.pipeline.actors.model_families`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.hooks import remove_hook_from_submodules
from safetensors import SafetensorError
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.utils import logging

from ah_ray.config import FP8_KINDS, Arithmetic
from ah_ray.errors import ConfigError, get_first_line
from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.omni.inputs import audio, vision
from ah_ray.omni.inputs.config_parts import get_audio_config, get_text_config, get_vision_config
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.capability import check_device
from ah_ray.omni.model.convolutions import widen_convolutions
from ah_ray.omni.model.device_map import make_device_map, measure_parts, split_layers
from ah_ray.omni.model.fp8 import quantise_model
from ah_ray.omni.weights.checkpoint import list_thinker_tensors, load_thinker_config
from ah_ray.omni.weights.merging import merge_adapters
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.weight_names import WRAPPERS

DTYPES = {
    Arithmetic.FLOAT32: torch.float32,
    Arithmetic.BF16: torch.bfloat16,
    **dict.fromkeys(FP8_KINDS, torch.bfloat16),  # all but the large products
}
_RECOMPUTED = ("rotary_emb.inv_freq",)  # buffers that old checkpoints carry
_ANNOUNCED_BYTES = 10**9  # smaller models load in a moment, without a message
_ENDLESS_BYTES = 1 << 50  # a CPU's memory never limits how layers are split


def load_model(
    checkpoint: Path,
    arithmetic: Arithmetic,
    devices: Sequence[torch.device],
    adapters: Sequence[Path],
    on_message: MessageCallback,
) -> Qwen3OmniMoeThinkerForConditionalGeneration:
    """Load the thinker of a checkpoint; a talker, if there is one, stays on disk.

    Adapters are merged in, one after another. Files are mapped into memory and copied tensor by
    tensor to their device, so a node with several replicas reads its disk once. Raise ConfigError
    if a tensor of the weights or of an adapter does not match the architecture, or if they do not
    fit on the devices.
    """
    for device in devices:
        check_device(arithmetic, device)
    config = Qwen3OmniMoeThinkerConfig.from_dict(load_thinker_config(checkpoint))
    check_architecture(checkpoint, config)
    sizes = measure_parts(config, DTYPES[arithmetic].itemsize)
    shares = split_layers(sizes, [_measure_free_bytes(device) for device in devices])
    with _report_loading(sum(sizes.values()), devices, on_message):
        model = _load_weights(checkpoint, arithmetic, make_device_map(shares, devices))
        merge_adapters(model, adapters)
        return prepare_model(model, arithmetic)


def prepare_model(
    model: Qwen3OmniMoeThinkerForConditionalGeneration, arithmetic: Arithmetic
) -> Qwen3OmniMoeThinkerForConditionalGeneration:
    """Prepare a model with loaded weights for packs, and return it."""
    model.eval().requires_grad_(False)
    model.set_attn_implementation(
        dict.fromkeys(("text_config", "vision_config", "audio_config"), PACKED)
    )
    widen_convolutions(model.model.audio_tower)
    if arithmetic.is_fp8:
        quantise_model(model.model, arithmetic)
    return model


def _load_weights(
    checkpoint: Path, arithmetic: Arithmetic, places: dict[str, torch.device]
) -> Qwen3OmniMoeThinkerForConditionalGeneration:
    several = len(set(places.values())) > 1
    renamed = _make_key_mapping(checkpoint)
    with _silence_transformers():
        try:
            loaded: Any = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(
                checkpoint,
                dtype=DTYPES[arithmetic],
                device_map=places if several else {"": next(iter(places.values()))},
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                key_mapping=renamed or None,
                ignore_mismatched_sizes=True,  # they come in the report, with their names
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            problem = "cannot be loaded"
            if isinstance(error, torch.OutOfMemoryError):
                problem = f"does not fit on {', '.join(map(str, set(places.values())))}"
            raise ConfigError(f"--model {checkpoint} {problem}: {get_first_line(error)}") from error
    model: Qwen3OmniMoeThinkerForConditionalGeneration = loaded[0]
    if several:
        remove_hook_from_submodules(model)  # the pass itself moves data between GPUs
    _check_report(checkpoint, loaded[1])
    return model


def _make_key_mapping(checkpoint: Path) -> dict[str, str]:
    """Return the renamings by which transformers finds its names despite wrappers around them.

    Each renaming is applied once to a name, so there is one for each wrapper that a name has.
    """
    try:
        names = [tensor.name for tensor in list_thinker_tensors(open_folder(checkpoint))]
    except ConfigError:  # loading the weights raises the error itself
        return {}
    n_places = max((len(WRAPPERS.findall(name)) for name in names), default=0)
    return {WRAPPERS.pattern + "(?:)" * place: r"\1" for place in range(n_places)}


def _measure_free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else _ENDLESS_BYTES


@contextmanager
def _report_loading(
    n_bytes: int, devices: Sequence[torch.device], on_message: MessageCallback
) -> Iterator[None]:
    """Report what will be loaded, and then how fast it was."""
    if n_bytes >= _ANNOUNCED_BYTES:
        on_message(f"Loading {n_bytes / 1e9:.1f} GB of weights onto {', '.join(map(str, devices))}")
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    if n_bytes >= _ANNOUNCED_BYTES:
        on_message(f"Loaded in {seconds:.0f} s, {n_bytes / 1e9 / seconds:.2f} GB/s")


def _check_report(checkpoint: Path, report: dict[str, Any]) -> None:
    """Raise ConfigError for weights without a place, missing weights and wrong shapes.

    transformers only warns about the first, and makes up weights that are missing.
    """
    unexpected = {k for k in report["unexpected_keys"] if not k.endswith(_RECOMPUTED)}
    adapters = {key for key in unexpected if ".lora_" in key or ".base_layer." in key}
    no_place = "holds weights that Qwen3-Omni has no place for"
    for keys, problem in (
        (adapters, f"{no_place} (merge an adapter into its base, with jobs/merge.py):"),
        (report["missing_keys"], "lacks"),
        (unexpected, f"{no_place}:"),
        (report["mismatched_keys"], "has another shape than its config.json says:"),
    ):
        if keys:
            names = sorted(key[0] if isinstance(key, tuple) else key for key in keys)
            raise ConfigError(
                f"--model {checkpoint} {problem} {names[0]}, and {len(names) - 1} more like it; "
                "compare its files with those of the model it was fine-tuned from"
            )


def check_architecture(checkpoint: Path, config: Qwen3OmniMoeThinkerConfig) -> None:
    """Raise ConfigError if the model lacks what this code needs and every released model has."""
    tower, text, sound = (
        get_vision_config(config),
        get_text_config(config),
        get_audio_config(config),
    )
    found = (tower.patch_size, tower.spatial_merge_size, tower.temporal_patch_size)
    if found != (vision.PATCH_PX, vision.MERGE, vision.TEMPORAL) or (
        sound.num_mel_bins,
        2 * sound.n_window,
    ) != (audio.N_MELS, audio.CHUNK):
        raise ConfigError(
            f"--model {checkpoint}: its patches or mel windows differ from every Qwen3-Omni's"
        )
    if len(tower.deepstack_visual_indexes) >= text.num_hidden_layers:
        raise ConfigError(f"--model {checkpoint}: fewer text layers than deepstack needs")
    if text.hidden_act != "silu" or text.attention_bias or text.sliding_window:
        raise ConfigError(
            f"--model {checkpoint}: its text layers differ from every Qwen3-Omni's (hidden_act "
            f"{text.hidden_act}, attention_bias {text.attention_bias}, sliding_window "
            f"{text.sliding_window})"
        )


@contextmanager
def _silence_transformers() -> Iterator[None]:
    """Show no progress bars and no advice while a model loads; this module raises what matters."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
