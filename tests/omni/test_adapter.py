"""What is no adapter that can be merged, or not into this base, is told with its mend."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from adapter_files import swift_factors, write_adapter
from safetensors.torch import load_file, save_file

from ah_ray.errors import ConfigError
from ah_ray.omni.adapter import read_adapter
from ah_ray.omni.adapter_fit import fit
from ah_ray.omni.checkpoint import thinker_tensors
from ah_ray.omni.folder import open_folder
from ah_ray.omni.merged_checkpoint import write_merged
from ah_ray.omni.weight_names import weight_shapes

Q = "thinker.model.layers.0.self_attn.q_proj.weight"
A = "base_model.model.thinker.model.layers.0.self_attn.q_proj.lora_A.weight"
B = A.replace("lora_A", "lora_B")


@pytest.fixture
def adapter(tmp_path) -> Path:
    return write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    from ah_ray.omni.checkpoint import find_checkpoint

    tensors = thinker_tensors(open_folder(find_checkpoint("tiny")))
    return weight_shapes((t.name, t.shape) for t in tensors)


def settings(**values):
    def change(adapter: Path) -> None:
        path = adapter / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def factors(change):
    def change_file(adapter: Path) -> None:
        found = load_file(adapter / "adapter_model.safetensors")
        change(found)
        save_file(found, adapter / "adapter_model.safetensors")

    return change_file


def pickled(adapter):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


def cut_off(adapter):
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: (a / "adapter_config.json").unlink(), r"no adapter_config\.json there; give"),
        (lambda a: (a / "adapter_config.json").write_text("{"), "cannot be read .*; copy it again"),
        (lambda a: (a / "adapter_config.json").write_text("[]"), "cannot be read"),
        (lambda a: (a / "adapter_model.safetensors").unlink(), r"no adapter_model\.safetensors"),
        (pickled, "a pickle, which is never loaded; save it again with peft"),
        (cut_off, "not a whole safetensors file"),
        (
            lambda a: shutil.copy(a / "adapter_model.safetensors", a / "vit.safetensors"),
            r"it holds vit\.safetensors too, .*; merge it where",
        ),
        (settings(peft_type="LOHA"), "is of 'LOHA', not of LORA; merge it where"),
        (settings(use_dora=True), "sets use_dora, which is more than LoRA; merge it where"),
        (settings(lora_bias=True), "sets lora_bias"),
        (settings(layer_replication=[[0, 2]]), "sets layer_replication"),
        (settings(init_lora_weights="pissa_niter_4"), "'pissa_niter_4', which changes the base"),
        (settings(init_lora_weights="OLoRA"), "'OLoRA', which changes the base"),
        (settings(r=0), "0 is no rank"),
        (settings(lora_alpha="16"), "'16' is no rank and no alpha"),
        (settings(rank_pattern={"q_proj": None}), "None is no rank"),
        (factors(lambda f: f.pop(B)), "q_proj.lora_A.weight has no other half"),
        (factors(lambda f: f.pop(A)), "q_proj.lora_B.weight has no other half"),
        (factors(dict.clear), "holds nothing for the thinker"),
    ],
)
def test_no_adapter(adapter, spoil, message):
    spoil(adapter)
    with pytest.raises(ConfigError, match=message):
        read_adapter(adapter)


def rename(old: str, new: str):
    def change(found):
        for key in list(found):
            found[key.replace(old, new)] = found.pop(key)

    return factors(change)


def add(key: str, *shape: int):
    return factors(lambda f: f.update({key: torch.zeros(shape)}))


def swap(key: str, *shape: int):
    return factors(lambda f: f.update({key: torch.zeros(shape)}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rename("layers.0", "layers.3"), r"layers\.3\.self_attn.*lora_A.* has no place"),
        (rename("self_attn.q_proj", "mlp.experts.4.up_proj"), r"experts\.4.* has no place"),
        (rename("layers.0.self_attn.q_proj", "layers.7.mlp.experts"), r"7\.mlp.*no place"),
        (rename("layers.0.self_attn.q_proj", "layers.0.mlp.experts"), "do not fit 4 experts of"),
        (rename("model.layers.0.self_attn.q_proj", "visual.patch_embed.proj"), "do not fit rank"),
        (rename("q_proj", "k_proj"), r"\[96, 4\] do not fit rank 4 on .*k_proj.weight \[48, 96\]"),
        (swap(A, 4, 95), r"lora_A.weight \[4, 95\] .* do not fit .*; give the base"),
        (swap(B, 97, 4), r"lora_B.weight \[97, 4\] do not fit"),
        (settings(r=8), "do not fit rank 8 on model.layers.0.self_attn.q_proj.weight"),
        (settings(rank_pattern={"q_proj": 2}), "do not fit rank 2"),
        (add("base_model.model.thinker.lm_head.weight", 449, 96), r"\[449, 96\] does not fit lm_"),
        (add("base_model.model.thinker.score.weight", 2, 96), "score.weight has no place"),
        (add(A.replace("A.weight", "magnitude_vector"), 96), "magnitude_vector has no place"),
        (add("base_model.model.thinker.lm_head.token_adapter.delta", 1), "delta has no place"),
    ],
)
def test_no_place_in_this_base(adapter, shapes, spoil, message):
    assert fit([read_adapter(adapter)], shapes).keys() == {Q.removeprefix("thinker.")}
    spoil(adapter)
    with pytest.raises(ConfigError, match=message):
        fit([read_adapter(adapter)], shapes)


def test_what_is_of_the_talker_is_counted(adapter, shapes):
    add("base_model.model.talker.model.layers.0.self_attn.q_proj.lora_A.weight", 4, 8)(adapter)
    read = read_adapter(adapter)
    assert read.n_ignored == 1 and len(fit([read], shapes)) == 1


def test_a_whole_module_does_not_undo_an_earlier_adapter(adapter, shapes, tmp_path):
    other = write_adapter(tmp_path / "whole", {A.replace(".lora_A", ""): torch.zeros(96, 96)})
    fit([read_adapter(other), read_adapter(adapter)], shapes)
    with pytest.raises(ConfigError, match="would replace what an earlier adapter"):
        fit([read_adapter(adapter), read_adapter(other)], shapes)


def test_nothing_can_be_added_to_what_is_quantised(adapter, tiny, tmp_path):
    base = Path(shutil.copytree(tiny, tmp_path / "fp8"))
    weights = load_file(base / "model.safetensors")
    weights[Q] = weights[Q].to(torch.float8_e4m3fn)
    save_file(weights, base / "model.safetensors")
    with pytest.raises(ConfigError, match=r"q_proj.weight is F8_E4M3.*; merge into the bf16 model"):
        write_merged(base, [adapter], tmp_path / "out")
