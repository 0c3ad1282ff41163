"""What a training will take, said before it starts: parameters, memory of each GPU, steps, hours.

Memory is counted: weights, gradients, moments, and what a pass keeps for its way back. Hours are
an estimate from the operations of all windows and a share of what a GPU can do.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelerate import init_empty_weights
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.flops import flops_per_clip, tokens_per_clip
from ah_ray.omni.vision import UNIT_PX
from ah_ray.profile import Profile
from ah_ray.training.learner import with_lora
from ah_ray.training.settings import Method, TrainSettings

GPU_TOKEN_BUDGET, CPU_TOKEN_BUDGET = 16_384, 4_096
GPU_FLOPS = 790e12  # H100 and H200, bf16
SHARE_OF_PEAK = 0.35
_USABLE = 0.92  # of a GPU's memory: the rest is the driver's, and fragments
_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on one GPU (or of one worker)."""

    weights: float
    gradients: float
    moments: float
    passes: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.moments + self.passes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Parameters of a model, and how many of them learn."""

    parameters: int
    trained: int
    largest_layer: int  # whole on each GPU while its turn lasts


def sizes(config: Qwen3OmniMoeThinkerConfig, settings: TrainSettings) -> Sizes:
    """Counted on a model without weights."""
    with init_empty_weights():
        thinker = Qwen3OmniMoeThinkerForConditionalGeneration(config)
        layers = [*thinker.model.language_model.layers]
        largest = max(sum(p.numel() for p in layer.parameters()) for layer in layers)
        parameters = sum(p.numel() for p in thinker.parameters())
        if settings.method is not Method.FULL:
            with_lora(thinker, settings)
            trained = sum(p.numel() for p in thinker.parameters() if p.requires_grad)
        else:
            frozen = 0 if settings.train_towers else _towers(thinker)
            trained = parameters - frozen
    return Sizes(parameters=parameters, trained=trained, largest_layer=largest)


def _towers(thinker: Qwen3OmniMoeThinkerForConditionalGeneration) -> int:
    towers = (thinker.model.visual, thinker.model.audio_tower)
    return sum(p.numel() for tower in towers for p in tower.parameters())


def memory(
    config: Qwen3OmniMoeThinkerConfig,
    found: Sizes,
    settings: TrainSettings,
    *,
    arithmetic: Arithmetic,
    workers: int,
    token_budget: int,
    checkpointing: bool,
) -> Memory:
    """lora: the base once on each GPU, and 16 bytes for each parameter that learns. full: 16 bytes
    (master, gradient, two moments) shared out, and two layers whole in the pass's own type."""
    width = 2 if arithmetic is Arithmetic.BF16 else 4
    passes = _passes(config, width, token_budget, checkpointing)
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


def _passes(
    config: Qwen3OmniMoeThinkerConfig, width: int, token_budget: int, checkpointing: bool
) -> float:
    """What the language model keeps for its way back: each layer's input, and one layer's (or
    every layer's) inner values, twice for their gradients."""
    text = config.text_config
    heads = (2 * text.num_attention_heads + 2 * text.num_key_value_heads) * text.head_dim
    experts = text.num_experts_per_tok * (3 * text.moe_intermediate_size + 2 * text.hidden_size)
    inner = 6 * text.hidden_size + 3 * heads + experts
    layers = text.num_hidden_layers
    kept = layers * text.hidden_size + 2 * inner * (1 if checkpointing else layers)
    return float(token_budget * width * kept)


def check_fits(needed: Memory, settings: TrainSettings, *, gpu_bytes: float, workers: int) -> None:
    """Raises ConfigError that says what would fit."""
    if needed.total <= _USABLE * gpu_bytes:
        return
    whole = f"{needed.total / _GB:.0f} GB on each of {workers} GPUs of {gpu_bytes / _GB:.0f} GB"
    if settings.method is Method.FULL:
        shared = (needed.weights + needed.gradients + needed.moments) * workers
        room = _USABLE * gpu_bytes - needed.passes
        mends = [f"--workers {int(shared // room) + 1}"] if room > 0 else []
        mends += [*([] if settings.offload else ["--offload"]), "--method lora"]
    else:
        mends = ["larger GPUs"]
    if needed.passes > 0.1 * needed.total:
        mends.append("a smaller --token-budget")
    raise ConfigError(f"--method {settings.method} would take {whole}; give {' or '.join(mends)}")


def hours(
    config: Qwen3OmniMoeThinkerConfig,
    profile: Profile,
    settings: TrainSettings,
    *,
    seconds: float,
    n_windows: int,
    workers: int,
    checkpointing: bool,
) -> float:
    """Of `seconds` of windows in all epochs, on GPUs.

    A pass forward, one back for the activations, one for the weights that learn, and one again
    where activations are not kept.
    """
    side_px = int(profile.max_pixels**0.5) // UNIT_PX * UNIT_PX
    mean_s = seconds / max(1, n_windows)
    n_frames = max(profile.min_frames, round(mean_s * profile.fps / 2) * 2)
    once = flops_per_clip(config, n_frames, side_px, side_px, mean_s) * n_windows
    passes = 2 + (settings.method is Method.FULL) + checkpointing
    if settings.method is Method.GRPO:
        tokens = tokens_per_clip(n_frames, side_px, side_px, mean_s)
        passes += 2 + settings.group * 16 / tokens  # drawing, and the model at the start
    return once * passes / (workers * GPU_FLOPS * SHARE_OF_PEAK) / 3600
