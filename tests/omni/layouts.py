"""One model, in each layout that people have it in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def in_float32(checkpoint: Path, out: Path) -> Path:
    """The same weights in float32, so that merging into them rounds nothing away."""
    shutil.copytree(checkpoint, out)
    weights = load_file(out / "model.safetensors")
    save_file({name: w.float() for name, w in weights.items()}, out / "model.safetensors")
    return out


def released(checkpoint: Path, out: Path) -> None:
    shutil.copytree(checkpoint, out)


def sharded(checkpoint: Path, out: Path) -> None:
    """Over three files with an index, gate and up of one expert in different ones."""
    shutil.copytree(checkpoint, out)
    weights = load_file(out / "model.safetensors")
    (out / "model.safetensors").unlink()
    files = {}
    for i in range(3):
        name = f"model-{i + 1:05}-of-00003.safetensors"
        part = dict(sorted(weights.items())[i::3])
        save_file(part, out / name, metadata={"format": "pt"})
        files |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": files}
    (out / "model.safetensors.index.json").write_text(json.dumps(index))


def with_talker(checkpoint: Path, out: Path) -> None:
    """As the whole release comes: other models' tensors between the thinker's."""
    shutil.copytree(checkpoint, out)
    weights = load_file(out / "model.safetensors")
    random = torch.Generator().manual_seed(3)
    weights["talker.model.layers.0.self_attn.q_proj.weight"] = torch.randn(8, 8, generator=random)
    weights["code2wav.decoder.0.weight"] = torch.randn(8, 8, 3, generator=random)
    save_file(weights, out / "model.safetensors")
    config = json.loads((out / "config.json").read_text())
    config |= {"enable_audio_output": True, "talker_config": {"text_config": {}}}
    (out / "config.json").write_text(json.dumps(config))


def thinker_alone(checkpoint: Path, out: Path) -> None:
    """No prefix, and the thinker's own config."""
    shutil.copytree(checkpoint, out)
    weights = load_file(out / "model.safetensors")
    weights = {name.removeprefix("thinker."): weight for name, weight in weights.items()}
    save_file(weights, out / "model.safetensors")
    config = json.loads((out / "config.json").read_text())["thinker_config"]
    (out / "config.json").write_text(json.dumps(config))


def of_transformers_4(checkpoint: Path, out: Path) -> None:
    """A full fine-tune as ms-swift saves it: `thinker.`, an expert a tensor, the old config."""
    shutil.copytree(checkpoint, out)
    config = json.loads((out / "config.json").read_text())
    thinker = config["thinker_config"]
    for part in (thinker, thinker["text_config"]):
        part["torch_dtype"] = part.pop("dtype", "bfloat16")
    rope = thinker["text_config"].pop("rope_parameters")
    thinker["text_config"]["rope_theta"] = rope.pop("rope_theta")
    rope["type"] = rope["rope_type"]
    thinker["text_config"]["rope_scaling"] = rope
    config["transformers_version"] = "4.57.3"
    (out / "config.json").write_text(json.dumps(config))


def of_transformers_5(checkpoint: Path, out: Path) -> None:
    """As the model is in memory: `model.language_model.`, all experts of a layer in one tensor."""
    dtype = load_file(checkpoint / "model.safetensors")["thinker.lm_head.weight"].dtype
    model = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(checkpoint, dtype=dtype)
    model.save_pretrained(out, save_original_format=False)
    for name in TOKENIZER:
        shutil.copy(checkpoint / name, out)


def wrapped(checkpoint: Path, out: Path) -> None:
    """Saved from a compiled model within DistributedDataParallel, a layer compiled by itself."""
    shutil.copytree(checkpoint, out)
    weights = load_file(out / "model.safetensors")
    layer = ("thinker.model.layers.1.", "thinker.model.layers.1._orig_mod.")
    weights = {f"module._orig_mod.{name.replace(*layer)}": w for name, w in weights.items()}
    weights["module._orig_mod.talker.model.norm.weight"] = torch.ones(8)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


LAYOUTS: tuple[Callable[[Path, Path], None], ...] = (
    released,
    sharded,
    with_talker,
    thinker_alone,
    of_transformers_4,
    of_transformers_5,
    wrapped,
)
