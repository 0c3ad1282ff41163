"""Checkpoints and adapters as people really have them, made from the tiny model.

Each kind makes its files in an empty folder from a base in float32, and says what is expected: the
P of transformers' own forward of the base, the P of an adapter run unmerged (by peft), or the
beginning of what an error advises.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import layouts
import torch
from adapter_files import as_peft_018, set_config, swift_factors, train_with_peft, write_adapter
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from tokenizer_files import change_tokenizer, drop_token, exchange_ids, split_tokenizer
from transformers_reference import Reference

from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.weights.adapter_base import describe_base
from ah_ray.profile import load_profile

Q = "thinker.model.layers.0.self_attn.q_proj.weight"
BASES_P = "P of the base by transformers"
PEFTS_P = "P of the adapter by peft"
MERGE_THERE = "merge it where it was trained"


@dataclass(frozen=True, slots=True)
class Given:
    """What a user gives: a checkpoint, adapters, and what it should score like."""

    checkpoint: Path
    adapters: tuple[Path, ...] = ()
    unmerged: Reference | None = None  # None: as the base


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `expected` is one of the two P's, or a part of the error."""

    name: str
    expected: str
    make: Callable[[Path, Path], Given]  # (base, empty folder)


def _laid_out(layout: Callable[[Path, Path], None], base: Path, folder: Path) -> Given:
    layout(base, folder / "model")
    return Given(folder / "model")


def _copied(change: Callable[[Path], object], base: Path, folder: Path) -> Given:
    checkpoint = Path(shutil.copytree(base, folder / "model"))
    change(checkpoint)
    return Given(checkpoint)


def _config(**values: object) -> Callable[[Path], None]:
    def change(checkpoint: Path) -> None:
        path = checkpoint / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def _quantised(method: str) -> Callable[[Path], None]:
    return _config(quantization_config={"quant_method": method, "bits": 4})


def _small_vocabulary(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    config["thinker_config"]["text_config"]["vocab_size"] = 400
    path.write_text(json.dumps(config))


def _weights(change: Callable[[dict[str, torch.Tensor]], object], checkpoint: Path) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    change(weights)
    save_file(weights, checkpoint / "model.safetensors")


def _tokenizer(change: Callable[[dict], object]) -> Callable[[Path], None]:
    return lambda checkpoint: change_tokenizer(checkpoint, change)


def _with_setting(**values: object) -> Callable[[Path], None]:
    return _tokenizer(lambda content: content.update(values))


_PADDING = {
    "strategy": {"Fixed": 1024},
    "direction": "Left",
    "pad_to_multiple_of": None,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "<|endoftext|>",
}
_TRUNCATION = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}

CHECKPOINTS = [
    Kind("as released, one file", BASES_P, partial(_laid_out, layouts.released)),
    Kind("over several files with an index", BASES_P, partial(_laid_out, layouts.sharded)),
    Kind("with a talker", BASES_P, partial(_laid_out, layouts.with_talker)),
    Kind("the thinker alone", BASES_P, partial(_laid_out, layouts.thinker_alone)),
    Kind("config of transformers 4", BASES_P, partial(_laid_out, layouts.of_transformers_4)),
    Kind("fused experts of transformers 5", BASES_P,
         partial(_laid_out, layouts.of_transformers_5)),
    Kind("keys with module._orig_mod.", BASES_P, partial(_laid_out, layouts.wrapped)),
    Kind("tokenizer saved with padding", BASES_P,
         partial(_copied, _with_setting(padding=_PADDING))),
    Kind("tokenizer saved with truncation", BASES_P,
         partial(_copied, _with_setting(truncation=_TRUNCATION))),
    Kind("vocab and merges, ids in their config", BASES_P,
         partial(_copied, partial(split_tokenizer, added="config"))),
    Kind("vocab and merges, added_tokens.json", BASES_P,
         partial(_copied, partial(split_tokenizer, added="file"))),
    Kind("vocab and merges, added ids lost", "which the prompt needs",
         partial(_copied, partial(split_tokenizer, added="lost"))),
    Kind("exchanged special ids", "in its tokenizer and",
         partial(_copied, _tokenizer(exchange_ids("<|video_pad|>", "<|audio_pad|>")))),
    Kind("a special token lost", "which the prompt needs",
         partial(_copied, _tokenizer(drop_token("<|audio_end|>")))),
    Kind("ids beyond the vocabulary", "vocabulary ends at 399",
         partial(_copied, _small_vocabulary)),
    *(Kind(f"quantised: {method}", f"quantised ({method})", partial(_copied, _quantised(method)))
      for method in ("gptq", "awq", "bitsandbytes", "compressed-tensors", "fp8")),
    Kind("quantised: GGUF", "(GGUF)",
         partial(_copied, lambda c: (c / "model.safetensors").rename(c / "model.gguf"))),
    Kind("quantised: int8 tensors, nothing said", "are quantised",
         partial(_copied, partial(_weights, lambda w: w.update({Q: w[Q].to(torch.int8)})))),
    Kind("weights as a pickle", "are pickles",
         partial(_copied, lambda c: (c / "model.safetensors").rename(c / "pytorch_model.bin"))),
    Kind("an expert lost", "lack up_proj of expert 2",
         partial(_copied, partial(
             _weights, lambda w: w.pop("thinker.model.layers.1.mlp.experts.2.up_proj.weight")))),
]  # fmt: skip


def _by_peft(
    config: LoraConfig, base: Path, folder: Path, change: Callable[[Path], object] = lambda _: None
) -> Given:
    reference = Reference(base, load_profile("tiny"))
    train_with_peft(reference.model, config, folder / "lora")
    change(folder / "lora")
    return Given(base, (folder / "lora",), reference)


def _attention(**settings: object) -> LoraConfig:
    return LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]} | settings
    )


def _fused(*parameters: str) -> LoraConfig:
    return LoraConfig(
        r=2, lora_alpha=8, target_modules=[], target_parameters=[f"mlp.{p}" for p in parameters]
    )


def _peft(change: Callable[[Path], object] = lambda _: None, **settings: object):
    return lambda base, folder: _by_peft(_attention(**settings), base, folder, change)


def _keys(rename: Callable[[str], str]) -> Callable[[Path], None]:
    def change(adapter: Path) -> None:
        path = adapter / "adapter_model.safetensors"
        save_file({rename(key): tensor for key, tensor in load_file(path).items()}, path)

    return change


def _factor(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    def change_first(adapter: Path) -> None:
        path = adapter / "adapter_model.safetensors"
        factors = load_file(path)
        key = min(factors)
        save_file(factors | {key: change(factors[key]).contiguous()}, path)

    return change_first


def _with_tokenizer(change: Callable[[Path], object], base: Path, folder: Path) -> Given:
    given = _by_peft(_attention(), base, folder)
    shutil.copy(base / "tokenizer.json", folder / "lora")
    change(folder / "lora")
    return given


def _of_another_base(base: Path, folder: Path) -> Given:
    given = _by_peft(_attention(), base, folder)
    record = {"base": describe_base("another", base) | {"fingerprint": "0" * 16}}
    (folder / "lora" / "training.json").write_text(json.dumps(record))
    return given


def _merged_twice(base: Path, folder: Path) -> Given:
    lora = write_adapter(folder / "lora", swift_factors({Q: (96, 96)}))
    write_merged_checkpoint(base, [lora], folder / "once")
    return Given(folder / "once", (lora,))


def _pickled(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


ADAPTERS = [
    Kind("peft: attention", PEFTS_P, _peft()),
    Kind("peft: rsLoRA, ranks and alphas by pattern", PEFTS_P,
         _peft(use_rslora=True, rank_pattern={"v_proj": 2}, alpha_pattern={"q_proj": 3})),
    Kind("peft: both towers and lm_head", PEFTS_P,
         _peft(target_modules=["qkv", "linear_fc2", "fc1", "proj1", "lm_head"])),
    Kind("peft: embeddings, whole modules", PEFTS_P,
         _peft(target_modules=["embed_tokens"], modules_to_save=["lm_head", "ln_post"])),
    Kind("peft: fused experts and routers", PEFTS_P, partial(
        _by_peft, _fused("experts.gate_up_proj", "experts.down_proj", "gate.weight"))),
    Kind("peft before 0.19: fused experts", PEFTS_P,
         partial(_by_peft, _fused("experts.gate_up_proj"), change=as_peft_018)),
    Kind("peft before 0.19: square fused experts", MERGE_THERE, partial(
        _by_peft, _fused("experts.down_proj"),
        change=lambda a: set_config(a, peft_version="0.18.0"))),
    Kind("keys of peft's state: .default.", PEFTS_P,
         _peft(_keys(lambda key: key.replace(".weight", ".default.weight")))),
    Kind("keys with module. and _orig_mod.", PEFTS_P,
         _peft(_keys(lambda key: f"module._orig_mod.{key}"))),
    Kind("keys under thinker., as ms-swift", PEFTS_P,
         _peft(_keys(lambda key: key.replace("model.model.language_model.",
                                             "model.thinker.model.")))),
    Kind("with its base's tokenizer, padded", PEFTS_P,
         partial(_with_tokenizer, _with_setting(padding=_PADDING))),
    Kind("with another tokenizer", "its tokenizer gives the prompt other ids", partial(
        _with_tokenizer, _tokenizer(exchange_ids("<|video_pad|>", "<|audio_pad|>")))),
    Kind("of another base, by training.json", "it was trained on another", _of_another_base),
    Kind("of another base, by its name", "it was trained on Qwen/",
         _peft(lambda a: set_config(a, base_model_name_or_path="Qwen/Qwen3-Omni-Thinking"))),
    Kind("merged twice", "would count twice", _merged_twice),
    Kind("a factor with NaN", "holds NaN or infinity", _peft(_factor(lambda f: f * torch.nan))),
    Kind("another rank in its config", "copy that file again", _peft(lambda a: set_config(a, r=8))),
    Kind("of a wider base", "give the base that it was trained on",
         _peft(_factor(lambda f: f.repeat(1, 2)))),
    Kind("more layers than the base", "give the base that it was trained on",
         _peft(_keys(lambda key: key.replace("layers.2.", "layers.9.")))),
    Kind("DoRA", MERGE_THERE, _peft(lambda a: set_config(a, use_dora=True))),
    Kind("PiSSA", MERGE_THERE, _peft(lambda a: set_config(a, init_lora_weights="pissa"))),
    Kind("another kind than LoRA", MERGE_THERE, _peft(lambda a: set_config(a, peft_type="IA3"))),
    Kind("factors as a pickle", "a pickle, which is never loaded", _peft(_pickled)),
]  # fmt: skip
