"""Errors about adapters that cannot be merged, or not into this base, say what to do."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from adapter_files import swift_factors, write_adapter
from safetensors.torch import load_file, save_file

from ah_ray.errors import ConfigError
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.weights.adapter import read_adapter
from ah_ray.omni.weights.adapter_fit import fit_adapters
from ah_ray.omni.weights.checkpoint import list_thinker_tensors
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.weight_names import collect_weight_shapes

Q = "thinker.model.layers.0.self_attn.q_proj.weight"
A = "base_model.model.thinker.model.layers.0.self_attn.q_proj.lora_A.weight"
B = A.replace("lora_A", "lora_B")


@pytest.fixture
def adapter(tmp_path) -> Path:
    return write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    from ah_ray.omni.weights.checkpoint import find_checkpoint

    tensors = list_thinker_tensors(open_folder(find_checkpoint("tiny")))
    return collect_weight_shapes((t.name, t.shape) for t in tensors)


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
            r"it also holds vit\.safetensors, .*; merge it where",
        ),
        (settings(peft_type="LOHA"), "is of 'LOHA', not of LORA; merge it where"),
        (settings(use_dora=True), "sets use_dora, which goes beyond LoRA; merge it where"),
        (settings(lora_bias=True), "sets lora_bias"),
        (settings(layer_replication=[[0, 2]]), "sets layer_replication"),
        (settings(init_lora_weights="pissa_niter_4"), "'pissa_niter_4', which changes the base"),
        (settings(init_lora_weights="OLoRA"), "'OLoRA', which changes the base"),
        (settings(r=0), "0 is neither a rank"),
        (settings(lora_alpha="16"), "'16' is neither a rank nor an alpha"),
        (settings(rank_pattern={"q_proj": None}), "None is neither a rank"),
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
    assert fit_adapters([read_adapter(adapter)], shapes).keys() == {Q.removeprefix("thinker.")}
    spoil(adapter)
    with pytest.raises(ConfigError, match=message):
        fit_adapters([read_adapter(adapter)], shapes)


MERGE_ADVICE = "merge it where it was trained"
BASE = "give the base that it was trained on"
OWN_CONFIG = "copy that file again from where the adapter was saved"


@pytest.mark.parametrize(
    ("spoil", "advice"),
    [
        # Another base has more layers or experts, or other widths.
        (rename("layers.0", "layers.3"), BASE),
        (rename("self_attn.q_proj", "mlp.experts.4.up_proj"), BASE),
        (rename("layers.0.self_attn.q_proj", "layers.7.mlp.experts"), BASE),
        (swap(A, 4, 95), BASE),
        (swap(B, 97, 4), BASE),
        (rename("q_proj", "k_proj"), BASE),
        (rename("layers.0.self_attn.q_proj", "layers.0.mlp.experts"), BASE),
        # The base is right, and the adapter's file of settings is not its own.
        (settings(r=8), OWN_CONFIG),
        (settings(rank_pattern={"q_proj": 2}), OWN_CONFIG),
        # No base has it: another kind of module, a longer vocabulary, a convolution.
        (add("base_model.model.thinker.score.weight", 2, 96), MERGE_ADVICE),
        (add(A.replace("A.weight", "magnitude_vector"), 96), MERGE_ADVICE),
        (rename("self_attn.q_proj", "self_attn.qkv_proj"), MERGE_ADVICE),
        (add("base_model.model.thinker.lm_head.weight", 449, 96), MERGE_ADVICE),
        (add("base_model.model.thinker.model.embed_tokens.weight", 512, 96), MERGE_ADVICE),
        (rename("model.layers.0.self_attn.q_proj", "visual.patch_embed.proj"), MERGE_ADVICE),
        (add("base_model.model.thinker.lm_head.weight", 448, 95), BASE),
    ],
)
def test_the_advice_is_the_right_one(adapter, shapes, spoil, advice):
    spoil(adapter)
    with pytest.raises(ConfigError) as raised:
        fit_adapters([read_adapter(adapter)], shapes)
    given = [one for one in (BASE, OWN_CONFIG, MERGE_ADVICE) if one in str(raised.value)]
    assert given == [advice], raised.value


def renamed(change):
    return factors(lambda f: [f.update({change(key): f.pop(key)}) for key in list(f)])


WRAPPED = {
    "compiled": lambda key: f"_orig_mod.{key}",
    "compiled below peft": lambda key: key.replace(
        "base_model.model.", "base_model.model._orig_mod."
    ),
    "data parallel": lambda key: f"module.{key}",
    "data parallel and compiled": lambda key: f"module._orig_mod.{key}",
    "compiled layer by layer": lambda key: key.replace(".0.self_attn", ".0._orig_mod.self_attn"),
    "sharded": lambda key: key.replace(".0.self_attn", ".0._fsdp_wrapped_module.self_attn"),
    "recomputed": lambda key: key.replace("self_attn", "_checkpoint_wrapped_module.self_attn"),
    "state of peft": lambda key: key.replace(".weight", ".default.weight"),
    "state of peft, named": lambda key: key.replace(".weight", ".my-study.weight"),
    "state of peft, data parallel": lambda key: (
        f"module.{key.replace('.weight', '.default.weight')}"
    ),
    "without peft's prefix": lambda key: key.removeprefix("base_model.model."),
}


@pytest.mark.parametrize("wrapper", WRAPPED.values(), ids=WRAPPED)
def test_what_a_wrapper_put_into_the_keys_is_taken_out(adapter, shapes, tiny, tmp_path, wrapper):
    write_merged_checkpoint(tiny, [adapter], tmp_path / "plain")
    renamed(wrapper)(adapter)
    assert fit_adapters([read_adapter(adapter)], shapes).keys() == {Q.removeprefix("thinker.")}
    write_merged_checkpoint(tiny, [adapter], tmp_path / "wrapped")
    plain, wrapped = (load_file(tmp_path / m / "model.safetensors") for m in ("plain", "wrapped"))
    assert all(torch.equal(plain[name], wrapped[name]) for name in plain)


def test_whole_modules_in_the_state_of_peft(adapter, shapes):
    """What was trained counts, not the base's own that is kept beside it."""
    whole = "base_model.model.thinker.lm_head.modules_to_save.default.weight"
    add(whole, 448, 96)(adapter)
    add("base_model.model.thinker.lm_head.original_module.weight", 448, 96)(adapter)
    read = read_adapter(adapter)
    assert read.replacements == {"lm_head.weight": (whole, (448, 96))}
    assert fit_adapters([read], shapes).keys() == {Q.removeprefix("thinker."), "lm_head.weight"}


def test_several_adapters_or_names_in_one_file(adapter):
    for side in (A, B):
        add(side.replace("q_proj", "k_proj").replace(".weight", ".second.weight"), 4, 4)(adapter)
    read_adapter(adapter)
    add(A.replace("q_proj", "v_proj").replace(".weight", ".third.weight"), 4, 4)(adapter)
    with pytest.raises(ConfigError, match=r"several adapters \(second and third\); save one"):
        read_adapter(adapter)


def test_two_tensors_of_one_name(adapter):
    add(f"module.{A}", 4, 96)(adapter)
    with pytest.raises(ConfigError, match=r"two of its tensors are A, the second .*; save or copy"):
        read_adapter(adapter)


def test_what_is_of_the_talker_is_counted(adapter, shapes):
    add("base_model.model.talker.model.layers.0.self_attn.q_proj.lora_A.weight", 4, 8)(adapter)
    read = read_adapter(adapter)
    assert read.n_ignored == 1 and len(fit_adapters([read], shapes)) == 1


def test_a_whole_module_does_not_undo_an_earlier_adapter(adapter, shapes, tmp_path):
    other = write_adapter(tmp_path / "whole", {A.replace(".lora_A", ""): torch.zeros(96, 96)})
    fit_adapters([read_adapter(other), read_adapter(adapter)], shapes)
    with pytest.raises(ConfigError, match="would replace what an earlier adapter"):
        fit_adapters([read_adapter(adapter), read_adapter(other)], shapes)


def test_nothing_can_be_added_to_what_is_quantised(adapter, tiny, tmp_path):
    base = Path(shutil.copytree(tiny, tmp_path / "fp8"))
    weights = load_file(base / "model.safetensors")
    weights[Q] = weights[Q].to(torch.float8_e4m3fn)
    save_file(weights, base / "model.safetensors")
    with pytest.raises(ConfigError, match=r"q_proj.weight is F8_E4M3.*; merge into the bf16 model"):
        write_merged_checkpoint(base, [adapter], tmp_path / "out")
