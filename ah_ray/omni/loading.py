"""From a checkpoint's files to a model on its device, or on several, with every mismatch named."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate.hooks import remove_hook_from_submodules
from safetensors import SafetensorError
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.utils import logging

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni import audio, vision
from ah_ray.omni.attention import PACKED
from ah_ray.omni.checkpoint import thinker_config
from ah_ray.omni.fp8 import check_device, quantise_language_model
from ah_ray.omni.local_copy import Say
from ah_ray.omni.merging import merge_into
from ah_ray.omni.split import device_map, part_bytes, split

DTYPES = {
    Arithmetic.FLOAT32: torch.float32,
    Arithmetic.BF16: torch.bfloat16,
    Arithmetic.FP8: torch.bfloat16,  # all but the language model's large products
}
_RECOMPUTED = ("rotary_emb.inv_freq",)  # buffers that old checkpoints carry
_ANNOUNCED_BYTES = 10**9  # smaller models load in no time
_ENDLESS_BYTES = 1 << 50  # a CPU's memory is no reason to split one way or another


def load_model(
    checkpoint: Path,
    arithmetic: Arithmetic,
    devices: Sequence[torch.device],
    adapters: Sequence[Path],
    say: Say,
) -> Qwen3OmniMoeThinkerForConditionalGeneration:
    """The thinker of a checkpoint; its talker, if there is one, is left on disk.

    Adapters are merged in, one after another. Files are mapped into memory and copied tensor by
    tensor to where they are to be, so a node with several replicas reads its disk once. Raises
    ConfigError if the weights, or the adapters', and the architecture do not match in every tensor,
    or if they do not fit on the devices.
    """
    for device in devices:
        if arithmetic is Arithmetic.FP8:
            check_device(device)
    config = Qwen3OmniMoeThinkerConfig.from_dict(thinker_config(checkpoint))
    check_sizes(checkpoint, config)
    sizes = part_bytes(config, DTYPES[arithmetic].itemsize)
    shares = split(sizes, [_free_bytes(device) for device in devices])
    with _announced(sum(sizes.values()), devices, say):
        model = _from_pretrained(checkpoint, arithmetic, device_map(shares, devices))
        merge_into(model, adapters)
        return ready(model, arithmetic)


def ready(
    model: Qwen3OmniMoeThinkerForConditionalGeneration, arithmetic: Arithmetic
) -> Qwen3OmniMoeThinkerForConditionalGeneration:
    """A model whose weights are in place, made fit for packs."""
    model.eval().requires_grad_(False)
    model.set_attn_implementation(
        dict.fromkeys(("text_config", "vision_config", "audio_config"), PACKED)
    )
    if arithmetic is Arithmetic.FP8:
        quantise_language_model(model.model.language_model)
    return model


def _from_pretrained(checkpoint: Path, arithmetic: Arithmetic, places: dict[str, torch.device]):
    several = len(set(places.values())) > 1
    with _quiet_transformers():
        try:
            model, report = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(
                checkpoint,
                dtype=DTYPES[arithmetic],
                device_map=places if several else {"": next(iter(places.values()))},
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,  # they come in the report, with their names
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            problem = "cannot be loaded"
            if isinstance(error, torch.OutOfMemoryError):
                problem = f"does not fit on {', '.join(map(str, set(places.values())))}"
            raise ConfigError(f"--model {checkpoint} {problem}: {_first_line(error)}") from error
    if several:
        remove_hook_from_submodules(model)  # the pass moves what crosses from card to card
    _check_report(checkpoint, report)
    return model


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else _ENDLESS_BYTES


@contextmanager
def _announced(n_bytes: int, devices: Sequence[torch.device], say: Say) -> Iterator[None]:
    """Says what is about to be loaded, and how fast it then was."""
    if n_bytes >= _ANNOUNCED_BYTES:
        say(f"Loading {n_bytes / 1e9:.1f} GB of weights onto {', '.join(map(str, devices))}")
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    if n_bytes >= _ANNOUNCED_BYTES:
        say(f"Loaded in {seconds:.0f} s, {n_bytes / 1e9 / seconds:.2f} GB/s")


def _check_report(checkpoint: Path, report: dict) -> None:
    """transformers only warns when weights have no place, and invents those that are missing."""
    unexpected = {k for k in report["unexpected_keys"] if not k.endswith(_RECOMPUTED)}
    for keys, problem in (
        (report["missing_keys"], "lacks"),
        (unexpected, "holds weights that Qwen3-Omni has no place for (merge an adapter first):"),
        (report["mismatched_keys"], "has another shape than its config.json says:"),
    ):
        if keys:
            names = sorted(key[0] if isinstance(key, tuple) else key for key in keys)
            raise ConfigError(
                f"--model {checkpoint} {problem} {names[0]}, and {len(names) - 1} more like it; "
                "compare its files with those of the model it was fine-tuned from"
            )


def check_sizes(checkpoint: Path, config: Qwen3OmniMoeThinkerConfig) -> None:
    """Raises ConfigError where this code relies on what every released Qwen3-Omni has."""
    tower, text = config.vision_config, config.text_config
    found = (tower.patch_size, tower.spatial_merge_size, tower.temporal_patch_size)
    if found != (vision.PATCH_PX, vision.MERGE, vision.TEMPORAL) or (
        config.audio_config.num_mel_bins,
        2 * config.audio_config.n_window,
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


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars and no advice while a model loads; what matters is raised by us."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
