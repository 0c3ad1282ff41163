"""Estimate what a training needs before it starts: parameters, memory per GPU, and hours.

Memory is counted: weights, gradients, moments, and what a forward pass keeps for the backward pass.
Hours are estimated from the operations of all windows and a share of a GPU's peak.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelerate import init_empty_weights
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.media.resize import square_size
from ah_ray.omni.flops import count_clip_flops, count_clip_tokens
from ah_ray.omni.inputs.config_parts import get_text_config
from ah_ray.profile import Profile
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.steps.lora import add_lora

GPU_TOKEN_BUDGET, CPU_TOKEN_BUDGET = 16_384, 4_096
GPU_FLOPS = 790e12  # H100 and H200, bf16
SHARE_OF_PEAK = 0.35
_USABLE = 0.92  # of a GPU's memory: the rest is the driver's, and fragments
_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on one GPU, or of one worker on a CPU."""

    weights: float
    gradients: float
    moments: float
    passes: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.moments + self.passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Parameters of a model, and how many of them are trained."""

    parameters: int
    trained: int
    largest_layer: int  # whole on each GPU while its turn lasts


def count_parameters(config: Qwen3OmniMoeThinkerConfig, settings: TrainSettings) -> Sizes:
    """Return the parameters of a model, counted without loading weights."""
    with init_empty_weights():
        thinker = Qwen3OmniMoeThinkerForConditionalGeneration(config)
        layers = [*thinker.model.language_model.layers]
        largest = max(sum(p.numel() for p in layer.parameters()) for layer in layers)
        parameters = sum(p.numel() for p in thinker.parameters())
        if settings.method is not Method.FULL:
            add_lora(thinker, settings)
            trained = sum(p.numel() for p in thinker.parameters() if p.requires_grad)
        else:
            frozen = 0 if settings.train_towers else _count_tower_parameters(thinker)
            trained = parameters - frozen
    return Sizes(parameters=parameters, trained=trained, largest_layer=largest)


def _count_tower_parameters(thinker: Qwen3OmniMoeThinkerForConditionalGeneration) -> int:
    towers = (thinker.model.visual, thinker.model.audio_tower)
    return sum(p.numel() for tower in towers for p in tower.parameters())


def estimate_memory(
    config: Qwen3OmniMoeThinkerConfig,
    found: Sizes,
    settings: TrainSettings,
    *,
    arithmetic: Arithmetic,
    workers: int,
    token_budget: int,
    checkpointing: bool,
) -> Memory:
    """Return the memory of one worker.

    With lora, the base is on each GPU, plus 16 bytes for each trained parameter. With full, 16
    bytes per parameter (master, gradient, two moments) are shared between the GPUs, plus two whole
    layers in the type of the passes.
    """
    width = 2 if arithmetic is Arithmetic.BF16 else 4
    passes = _estimate_pass_bytes(config, width, token_budget, checkpointing)
    if settings.method is not Method.FULL:
        return Memory(
            weights=found.parameters * width + 4 * found.trained,
            gradients=4 * found.trained,
            moments=8 * found.trained,
            passes=passes,
        )
    here = 0 if settings.offload else 1 / workers
    return Memory(
        weights=found.parameters * 4 * here + 2 * width * found.largest_layer,
        gradients=found.trained * 4 * here,
        moments=found.trained * 8 * here,
        passes=passes,
    )


def _estimate_pass_bytes(
    config: Qwen3OmniMoeThinkerConfig, width: int, token_budget: int, checkpointing: bool
) -> float:
    """Return what the language model keeps for the backward pass.

    This is the input of each layer, and the inner values of one layer (or of every layer), twice
    for their gradients.
    """
    text = get_text_config(config)
    heads = (2 * text.num_attention_heads + 2 * text.num_key_value_heads) * text.head_dim
    experts = text.num_experts_per_tok * (3 * text.moe_intermediate_size + 2 * text.hidden_size)
    inner = 6 * text.hidden_size + 3 * heads + experts
    layers = text.num_hidden_layers
    kept = layers * text.hidden_size + 2 * inner * (1 if checkpointing else layers)
    return float(token_budget * width * kept)


def check_fits(needed: Memory, settings: TrainSettings, *, gpu_bytes: float, workers: int) -> None:
    """Raise ConfigError, which says what would fit, if the memory is too small."""
    if needed.total <= _USABLE * gpu_bytes:
        return
    whole = f"{needed.total / _GB:.0f} GB on each of {workers} GPUs of {gpu_bytes / _GB:.0f} GB"
    if settings.method is Method.FULL:
        shared = (needed.weights + needed.gradients + needed.moments) * workers
        room = _USABLE * gpu_bytes - needed.passes
        options = [f"--workers {int(shared // room) + 1}"] if room > 0 else []
        options += [*([] if settings.offload else ["--offload"]), "--method lora"]
    else:
        options = ["larger GPUs"]
    if needed.passes > 0.1 * needed.total:
        options.append("a smaller --token-budget")
    raise ConfigError(f"--method {settings.method} would take {whole}; give {' or '.join(options)}")


def estimate_hours(
    config: Qwen3OmniMoeThinkerConfig,
    profile: Profile,
    settings: TrainSettings,
    *,
    seconds: float,
    n_windows: int,
    workers: int,
    checkpointing: bool,
) -> float:
    """Return the hours for `seconds` of windows in all epochs, on GPUs.

    The passes are one forward, one backward for the activations, one for the trained weights, and
    one forward again if activations are not kept.
    """
    width_px, height_px = square_size(profile)
    mean_s = seconds / max(1, n_windows)
    n_frames = max(profile.min_frames, round(mean_s * profile.fps / 2) * 2)
    once = count_clip_flops(config, n_frames, height_px, width_px, mean_s) * n_windows
    passes: float = 2 + (settings.method is Method.FULL) + checkpointing
    if settings.method is Method.GRPO:
        tokens = count_clip_tokens(n_frames, height_px, width_px, mean_s)
        passes += 2 + settings.group * 16 / tokens  # drawing, and the model at the start
    return once * passes / (workers * GPU_FLOPS * SHARE_OF_PEAK) / 3600
