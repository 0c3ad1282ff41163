"""Write the result of a training: a directory that score.py loads, with its model card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import distributed
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.core_model_loading import revert_weight_conversion

from ah_ray import storage
from ah_ray.omni.weights.checkpoint import list_tokenizer_files
from ah_ray.omni.weights.model_config import read_thinker_config
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.temporary import temporary_folder
from ah_ray.training.model_card import format_model_card
from ah_ray.training.steps.learner import Learner

MODEL, ADAPTER = "model", "adapter"
_SHARD_BYTES = 4 * 10**9
_THINKER = "thinker."


def export_model(
    learner: Learner,
    base: Path,
    base_name: str,
    out: str,
    about: dict[str, Any],
    confirm: Callable[[], None] = lambda: None,
) -> str:
    """Write OUT/adapter (low-rank) or OUT/model, and return its name. Every worker calls it.

    `confirm` is called before each file, and raises if another training has taken OUT.
    """
    name = MODEL if learner.peft is None else ADAPTER
    weights = _gather_weights(learner) if learner.peft is None else {}
    if not distributed.is_initialized() or distributed.get_rank() == 0:
        with temporary_folder("export-") as folder:
            if learner.peft is None:
                _write_model(learner, weights, base, Path(folder))
            else:
                _write_adapter(learner, base_name, Path(folder))
            (Path(folder) / "training.json").write_text(json.dumps(about, indent=2) + "\n")
            (Path(folder) / "MODEL_CARD.md").write_text(format_model_card(about))
            _upload(Path(folder), storage.join(out, name), confirm)
    return name


def _write_adapter(learner: Learner, base_name: str, folder: Path) -> None:
    peft = learner.peft
    assert peft is not None  # low-rank methods have one
    peft.peft_config["default"].base_model_name_or_path = base_name  # no path of ours
    # It would look the base up in the hub to learn whether embeddings changed: they do not.
    peft.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # the model card says more


def _gather_weights(learner: Learner) -> dict[str, torch.Tensor]:
    """Return the thinker's weights in the first worker's CPU memory."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(learner.model, options=options)
    return {
        name.removeprefix(_THINKER): tensor
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor)
    }


def _write_model(
    learner: Learner, weights: dict[str, torch.Tensor], base: Path, folder: Path
) -> None:
    """Write the released layout in bf16: a file for every few GB, one tensor per expert."""
    thinker: Qwen3OmniMoeThinkerForConditionalGeneration = learner.model.thinker
    state = {name: tensor.to(torch.bfloat16) for name, tensor in weights.items()}
    state = revert_weight_conversion(thinker, state)
    files: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in sorted(state.items()):
        if size and size + tensor.nbytes > _SHARD_BYTES:
            files.append({})
            size = 0
        files[-1][_THINKER + name] = tensor.contiguous()
        size += tensor.nbytes
    names = [f"model-{n + 1:05}-of-{len(files):05}.safetensors" for n in range(len(files))]
    if len(files) == 1:
        names = ["model.safetensors"]
    for file, tensors in zip(names, files, strict=True):
        save_file(tensors, folder / file, metadata={"format": "pt"})
    if len(files) > 1:
        index = {
            "metadata": {
                "total_size": sum(t.nbytes for tensors in files for t in tensors.values())
            },
            "weight_map": {t: f for f, tensors in zip(names, files, strict=True) for t in tensors},
        }
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    whole = {
        "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
        "enable_audio_output": False,
        "model_type": "qwen3_omni_moe",
        "thinker_config": read_thinker_config(open_folder(base)),
    }
    (folder / "config.json").write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n")
    for path in list_tokenizer_files(base):
        shutil.copyfile(path, folder / path.name)
    for extra in ("tokenizer_config.json", "preprocessor_config.json", "chat_template.json"):
        if (base / extra).is_file():
            shutil.copyfile(base / extra, folder / extra)


def _upload(folder: Path, place: str, confirm: Callable[[], None]) -> None:
    """Copy the directory, weights before config, so that an incomplete copy is no model."""
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix == ".json", path.name)):
        confirm()
        storage.write_file(storage.join(place, path.name), path)
