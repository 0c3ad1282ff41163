"""The model that is trained: which of its parameters, and how workers add their gradients.

lora  the base is whole on every worker; the few gradients are summed in one call
full  FSDP2: every parameter, its gradient and its moments are sharded over the workers; float32
      masters, passes in bf16 if requested
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from peft import PeftModel
from torch import distributed, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, fully_shard
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.interfaces.callbacks import MessageCallback, ignore_message
from ah_ray.omni.model.attention import describe_attention
from ah_ray.omni.model.loading import DTYPES, load_model, prepare_model
from ah_ray.omni.weights.checkpoint import load_thinker_config
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.steps.collective import count_workers
from ah_ray.training.steps.lora import add_lora
from ah_ray.training.steps.packed_thinker import PackedThinker


class Learner:
    """One worker's model, with its trained parameters."""

    def __init__(self, model: PackedThinker, *, sharded: bool, peft: PeftModel | None = None):
        self.model = model
        self.peft = peft
        self.sharded = sharded
        self.workers = count_workers()

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [p for p in self.model.parameters() if p.requires_grad]

    @property
    def loss_scale(self) -> float:
        """Return the factor of a loss that turns gradients into sums: FSDP2 averages them."""
        return float(self.workers) if self.sharded else 1.0

    def sum_gradients(self) -> None:
        """Sum the gradients over the workers, after the last backward pass of a step."""
        if self.sharded or self.workers == 1:
            return
        gradients = [_get_gradient(parameter) for parameter in self.parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, part in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))


def _get_gradient(parameter: nn.Parameter) -> torch.Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def load_learner(
    settings: TrainSettings,
    checkpoint: Path,
    arithmetic: Arithmetic,
    device: torch.device,
    on_message: MessageCallback = ignore_message,
) -> Learner:
    """Return the checkpoint's model on this worker's device, ready for the settings' method.

    Raise ConfigError if the checkpoint cannot be loaded, or lacks the layers.
    """
    torch.manual_seed(settings.seed)  # every worker draws the same low-rank matrices
    if settings.method is Method.FULL:
        learner = _load_full(settings, checkpoint, arithmetic, device, on_message)
    else:
        thinker = load_model(checkpoint, arithmetic, [device], (), on_message)
        peft = add_lora(thinker, settings)
        learner = Learner(PackedThinker(thinker, towers=False), sharded=False, peft=peft)
    if device.type == "cuda":
        on_message(describe_attention(DTYPES[arithmetic], needs_gradients=True))
    checkpointing = settings.checkpointing
    if device.type == "cuda" if checkpointing is None else checkpointing:
        learner.model.thinker.activation_checkpointing_enable({"use_reentrant": False})
    return learner


def _load_full(
    settings: TrainSettings,
    checkpoint: Path,
    arithmetic: Arithmetic,
    device: torch.device,
    on_message: MessageCallback,
) -> Learner:
    """Build the model without weights in every worker; the first one reads and distributes them."""
    config = Qwen3OmniMoeThinkerConfig.from_dict(load_thinker_config(checkpoint))
    first = distributed.get_rank() == 0
    weights = {}
    if first:
        loaded = load_model(checkpoint, Arithmetic.FLOAT32, [torch.device("cpu")], (), on_message)
        weights = {f"thinker.{name}": tensor for name, tensor in loaded.state_dict().items()}
    with init_empty_weights(include_buffers=False):
        thinker = Qwen3OmniMoeThinkerForConditionalGeneration(config).float()
    prepare_model(thinker, Arithmetic.FLOAT32)
    model = PackedThinker(thinker, towers=settings.train_towers)
    for name, parameter in model.named_parameters():
        tower = ".visual." in name or ".audio_tower." in name
        parameter.requires_grad_(settings.train_towers or not tower)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    _shard(model, arithmetic, settings.offload)
    model.to_empty(device="cpu" if settings.offload else device)
    for name, buffer in model.named_buffers():
        buffer.copy_(buffers[name])
    everywhere = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_model_state_dict(model, weights, options=everywhere)
    return Learner(model, sharded=True)


def _shard(model: PackedThinker, arithmetic: Arithmetic, offload: bool) -> None:
    """Shard each layer as a unit, so that no more than one or two layers are whole at a time."""
    options: dict[str, Any] = {}
    if arithmetic is Arithmetic.BF16:
        options["mp_policy"] = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32
        )
    if offload:
        options["offload_policy"] = CPUOffloadPolicy()
    for unit in _list_units(model.thinker):
        fully_shard(unit, **options)
    fully_shard(model, **options)


def _list_units(thinker: Qwen3OmniMoeThinkerForConditionalGeneration) -> Iterator[nn.Module]:
    model = thinker.model
    yield from model.visual.blocks
    yield from model.audio_tower.layers
    yield from model.language_model.layers
    yield model.language_model.embed_tokens
    yield thinker.lm_head
