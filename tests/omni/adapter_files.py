"""Adapters for tests: made by the real peft, or written key by key as ms-swift's are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

N_EXPERTS = 4  # of the tiny model
SWIFT_CONFIG = {
    "peft_type": "LORA",
    "r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.05,
    "use_rslora": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "bias": "none",
    "init_lora_weights": True,
    "target_modules": r"^(thinker\.model(?=\.).*\.(q_proj|gate|gate_proj|up_proj|down_proj))$",
    "task_type": "CAUSAL_LM",
}


def train_with_peft(model: nn.Module, config: LoraConfig, folder: Path, seed: int = 0) -> None:
    """Puts LoRA into the model, unmerged, as if trained; saves it as peft does."""
    wrapped = get_peft_model(model, config)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=random)
                if "modules_to_save" in name:
                    parameter.add_(0.02 * noise)
                else:
                    parameter.copy_(0.15 * noise)
    wrapped.eval().save_pretrained(folder)


def swift_factors(
    shapes: Mapping[str, tuple[int, int]], *, rank: int = 4, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Factors [rank, in] and [out, rank] for weights of these names and shapes."""
    random = torch.Generator().manual_seed(seed)
    factors = {}
    for name, (n_out, n_in) in shapes.items():
        module = f"base_model.model.{name.removesuffix('.weight')}"
        factors[f"{module}.lora_A.weight"] = 0.2 * torch.randn(rank, n_in, generator=random)
        factors[f"{module}.lora_B.weight"] = 0.2 * torch.randn(n_out, rank, generator=random)
    return factors


def write_adapter(folder: Path, factors: Mapping[str, torch.Tensor], **settings) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(SWIFT_CONFIG | settings))
    save_file(dict(factors), folder / "adapter_model.safetensors")
    return folder


def add_by_hand(checkpoint: Path, factors: Mapping[str, torch.Tensor], scale: float) -> None:
    """Adds per-expert factors to a checkpoint in the released layout, in float64."""
    path = checkpoint / "model.safetensors"
    weights = load_file(path)
    for key, a in factors.items():
        if ".lora_A." in key:
            name = key.removeprefix("base_model.model.").replace(".lora_A.", ".")
            b = factors[key.replace("lora_A", "lora_B")]
            weights[name] = (weights[name].double() + scale * b.double() @ a.double()).float()
    save_file(weights, path)


def as_peft_018(adapter: Path) -> None:
    """Rewrite factors of fused experts as peft before 0.19 had them.

    It took a parameter [E, out, in] for [E, in, out]. The same change of the weights then has the
    factors A [E · r, out] and B [in, r · E].
    """
    path = adapter / "adapter_model.safetensors"
    factors = load_file(path)
    for key in [key for key in factors if ".mlp.experts." in key and ".lora_A." in key]:
        other = key.replace("lora_A", "lora_B")
        a, b = factors[key], factors[other]
        n = N_EXPERTS
        a = a.unflatten(0, (n, -1))  # [E, r, in]
        b = b.unflatten(1, (-1, n))  # [out, r, E]
        factors[key] = b.permute(2, 1, 0).flatten(0, 1).contiguous()  # [E · r, out]
        factors[other] = a.permute(2, 1, 0).flatten(1, 2).contiguous()  # [in, r · E]
    save_file(factors, path)
    set_config(adapter, peft_version="0.18.0")


def set_config(adapter: Path, **settings: object) -> None:
    """Change what adapter_config.json holds."""
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
