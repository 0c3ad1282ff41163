"""A model that learns: which of its parameters do, and how workers add up what they learnt.

lora  the base stays whole on every worker; the few gradients are summed in one call
full  FSDP2: every parameter, its gradient and its moments are shared out over the workers; float32
      masters, passes in bf16 where that is asked for
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate import init_empty_weights
from peft import LoraConfig, PeftModel, get_peft_model
from torch import distributed, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, fully_shard
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.omni.checkpoint import thinker_config
from ah_ray.omni.loading import load_model, ready
from ah_ray.omni.local_copy import Say
from ah_ray.training.collective import n_workers
from ah_ray.training.packed import PackedThinker
from ah_ray.training.settings import LoraLayers, Method, TrainSettings

_ATTENTION = r"self_attn\.(q|k|v|o)_proj"
_DENSE = r"mlp\.(gate|up|down)_proj"
_EXPERTS = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
_ROUTER = "mlp.gate.weight"


class Learner:
    """The model of one worker, with its parameters that learn."""

    def __init__(self, model: PackedThinker, *, sharded: bool, peft: PeftModel | None = None):
        self.model = model
        self.peft = peft
        self.sharded = sharded
        self.workers = n_workers()

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [p for p in self.model.parameters() if p.requires_grad]

    @property
    def loss_scale(self) -> float:
        """What a loss is multiplied by, so that gradients come out as sums over the workers:
        FSDP2 averages."""
        return float(self.workers) if self.sharded else 1.0

    def gather(self) -> None:
        """After the last backward pass of a step: sums the gradients over the workers."""
        if self.sharded or self.workers == 1:
            return
        gradients = [_gradient(parameter) for parameter in self.parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, part in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def load_learner(
    settings: TrainSettings,
    checkpoint: Path,
    arithmetic: Arithmetic,
    device: torch.device,
    say: Say = lambda _: None,
) -> Learner:
    """The checkpoint's model on this worker's device, ready to learn by the settings' method.

    Raises ConfigError if the checkpoint cannot be loaded, or has no such layers.
    """
    torch.manual_seed(settings.seed)  # every worker draws the same low-rank matrices
    if settings.method is Method.FULL:
        learner = _full(settings, checkpoint, arithmetic, device, say)
    else:
        thinker = load_model(checkpoint, arithmetic, [device], (), say)
        peft = with_lora(thinker, settings)
        learner = Learner(PackedThinker(thinker, towers=False), sharded=False, peft=peft)
    checkpointing = settings.checkpointing
    if device.type == "cuda" if checkpointing is None else checkpointing:
        learner.model.thinker.activation_checkpointing_enable({"use_reentrant": False})
    return learner


def with_lora(thinker: nn.Module, settings: TrainSettings) -> PeftModel:
    """The model with low-rank matrices beside the layers that learn; all else is frozen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        return get_peft_model(thinker, lora_config(settings, thinker))


def lora_config(settings: TrainSettings, thinker: nn.Module) -> LoraConfig:
    """peft's description of what learns; jobs/merge.py reads it back from the adapter.

    Layers are named one by one: of a pattern, peft keeps the last parts of the names alone for this
    architecture, and those are in the audio tower too.
    """
    linears = [_ATTENTION] + [_DENSE] * (settings.lora_layers is LoraLayers.ALL)
    wanted = re.compile(rf".*language_model\.layers\.\d+\.({'|'.join(linears)})")
    parameters = [*_EXPERTS * settings.lora_experts, *[_ROUTER] * settings.lora_router]
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        # Answers are drawn, and judged, by the very same model.
        lora_dropout=0.0 if settings.method is Method.GRPO else settings.lora_dropout,
        target_modules=[name for name, _ in thinker.named_modules() if wanted.fullmatch(name)],
        target_parameters=parameters or None,
        bias="none",
    )


def _full(settings, checkpoint: Path, arithmetic: Arithmetic, device, say: Say) -> Learner:
    """Every worker builds the model without weights; the first reads them, and deals them out."""
    config = Qwen3OmniMoeThinkerConfig.from_dict(thinker_config(checkpoint))
    first = distributed.get_rank() == 0
    weights = {}
    if first:
        loaded = load_model(checkpoint, Arithmetic.FLOAT32, [torch.device("cpu")], (), say)
        weights = {f"thinker.{name}": tensor for name, tensor in loaded.state_dict().items()}
    with init_empty_weights(include_buffers=False):
        thinker = Qwen3OmniMoeThinkerForConditionalGeneration(config).float()
    ready(thinker, Arithmetic.FLOAT32)
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
    """A unit a layer, so that no more than a layer or two are whole at a time."""
    options = {}
    if arithmetic is Arithmetic.BF16:
        options["mp_policy"] = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32
        )
    if offload:
        options["offload_policy"] = CPUOffloadPolicy()
    for unit in _units(model.thinker):
        fully_shard(unit, **options)
    fully_shard(model, **options)


def _units(thinker: Qwen3OmniMoeThinkerForConditionalGeneration) -> Iterator[nn.Module]:
    model = thinker.model
    yield from model.visual.blocks
    yield from model.audio_tower.layers
    yield from model.language_model.layers
    yield model.language_model.embed_tokens
    yield thinker.lm_head
