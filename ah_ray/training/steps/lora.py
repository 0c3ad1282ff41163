"""Which modules LoRA changes, and how.

The settings (`ah_ray.training.settings.LoraSettings`) choose among the patterns of this module.
"""

from __future__ import annotations

import re
import warnings

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from ah_ray.training.settings import LoraLayers, Method, TrainSettings

_ATTENTION = r"self_attn\.(q|k|v|o)_proj"
_DENSE = r"mlp\.(gate|up|down)_proj"
_EXPERTS = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
_ROUTER = "mlp.gate.weight"


def add_lora(thinker: nn.Module, settings: TrainSettings) -> PeftModel:
    """Return the model with low-rank matrices beside the trained layers; all else is frozen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        return get_peft_model(thinker, make_lora_config(settings, thinker))


def make_lora_config(settings: TrainSettings, thinker: nn.Module) -> LoraConfig:
    """Return peft's description of what is trained; jobs/merge.py reads it from the adapter.

    Layers are named one by one. For a pattern, peft keeps only the last parts of the names for this
    architecture, and the audio tower has those too.
    """
    linears = [_ATTENTION] + [_DENSE] * (settings.lora_layers is LoraLayers.ALL)
    wanted = re.compile(rf".*language_model\.layers\.\d+\.({'|'.join(linears)})")
    parameters = [*_EXPERTS * settings.lora_experts, *[_ROUTER] * settings.lora_router]
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]  # peft divides it: any number
        # Answers are drawn, and judged, by the very same model.
        lora_dropout=0.0 if settings.method is Method.GRPO else settings.lora_dropout,
        target_modules=[name for name, _ in thinker.named_modules() if wanted.fullmatch(name)],
        target_parameters=parameters or None,
        bias="none",
    )
