"""What a training leaves behind: a directory that score.py loads, with its model card."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import distributed
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.core_model_loading import revert_weight_conversion

from ah_ray import storage
from ah_ray.omni.checkpoint import tokenizer_files
from ah_ray.omni.folder import open_folder
from ah_ray.omni.model_config import read_thinker_config
from ah_ray.training.card import model_card
from ah_ray.training.learner import Learner

MODEL, ADAPTER = "model", "adapter"
_SHARD_BYTES = 4 * 10**9
_THINKER = "thinker."


def export(learner: Learner, base: Path, base_name: str, out: str, about: dict[str, Any]) -> str:
    """Writes OUT/adapter (low-rank), or OUT/model; called by every worker. Returns its name."""
    name = MODEL if learner.peft is None else ADAPTER
    weights = _whole_weights(learner) if learner.peft is None else {}
    if not distributed.is_initialized() or distributed.get_rank() == 0:
        with tempfile.TemporaryDirectory(prefix="ah_ray-export-") as folder:
            if learner.peft is None:
                _write_model(learner, weights, base, Path(folder))
            else:
                _write_adapter(learner, base_name, Path(folder))
            (Path(folder) / "training.json").write_text(json.dumps(about, indent=2) + "\n")
            (Path(folder) / "MODEL_CARD.md").write_text(model_card(about))
            _put(Path(folder), storage.join(out, name))
    return name


def _write_adapter(learner: Learner, base_name: str, folder: Path) -> None:
    learner.peft.peft_config["default"].base_model_name_or_path = base_name  # no path of ours
    # It would look the base up in the hub to learn whether embeddings changed: they do not.
    learner.peft.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # the model card says more


def _whole_weights(learner: Learner) -> dict[str, torch.Tensor]:
    """The thinker's weights on the first worker, in the CPU's memory."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(learner.model, options=options)
    return {name.removeprefix(_THINKER): tensor for name, tensor in state.items()}


def _write_model(
    learner: Learner, weights: dict[str, torch.Tensor], base: Path, folder: Path
) -> None:
    """In the released layout and bf16: a file for every few GB, one tensor per expert."""
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
    for file in tokenizer_files(base):
        shutil.copyfile(file, folder / file.name)
    for extra in ("tokenizer_config.json", "preprocessor_config.json", "chat_template.json"):
        if (base / extra).is_file():
            shutil.copyfile(base / extra, folder / extra)


def _put(folder: Path, place: str) -> None:
    """Copies the directory; its weights before its config, so that half of it is no model."""
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix == ".json", path.name)):
        storage.write_file(storage.join(place, path.name), path)
