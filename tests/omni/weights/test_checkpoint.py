"""What is a model, what is not and why, and what its fingerprint depends on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.checkpoint import (
    find_checkpoint,
    fingerprint,
    load_thinker_config,
    name_model,
)


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "my-model"))


def change_config(checkpoint: Path, change) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def change_weights(checkpoint: Path, change) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    change(tensors)
    save_file(tensors, checkpoint / "model.safetensors")


def shard(checkpoint: Path) -> None:
    """Split the weights over two files with an index, as large models come."""
    tensors = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    places = {}
    for i in (1, 2):
        name = f"model-0000{i}-of-00002.safetensors"
        part = dict(sorted(tensors.items())[i - 1 :: 2])
        save_file(part, checkpoint / name)
        places |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": places}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))


def test_tiny_is_inside_the_package():
    checkpoint = find_checkpoint("tiny")
    assert load_thinker_config(checkpoint)["model_type"] == "qwen3_omni_moe_thinker"
    assert sum(file.stat().st_size for file in checkpoint.iterdir()) < 4_000_000


def test_a_directory(copy):
    assert find_checkpoint(str(copy)) == copy


def test_a_sharded_one(copy):
    shard(copy)
    assert find_checkpoint(str(copy)) == copy


def test_the_thinker_alone(copy):
    (copy / "config.json").write_text(json.dumps(load_thinker_config(copy)))
    assert find_checkpoint(str(copy)) == copy


def test_names_hold_no_path(copy, monkeypatch):
    assert name_model("tiny") == "tiny"
    assert name_model(str(copy)) == name_model(f"{copy}/") == "my-model"
    monkeypatch.chdir(copy)
    assert name_model(".") == "my-model"
    assert name_model("tiny", [str(copy), "s3://b/lora/adapter/"]) == "tiny+my-model+adapter"


def remove(name):
    return lambda checkpoint: (checkpoint / name).unlink()


def pickled(checkpoint):
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")


def half_downloaded(checkpoint):
    shard(checkpoint)
    (checkpoint / "model-00002-of-00002.safetensors").unlink()


def another_model(checkpoint):
    (checkpoint / "config.json").write_text('{"model_type": "llama"}')


def no_positions(checkpoint):
    change_config(checkpoint, lambda c: c["thinker_config"].pop("position_id_per_seconds"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "no such directory; give `tiny`"),
        (remove("config.json"), r"no config\.json"),
        (lambda c: (c / "config.json").write_text("{"), "not JSON"),
        (lambda c: (c / "config.json").write_text("[]"), "not JSON of a model"),
        (another_model, "belongs to a 'llama' model; give a Qwen3-Omni"),
        (no_positions, "lacks position_id_per_seconds; copy config.json"),
        (remove("tokenizer.json"), "no tokenizer .*; copy it"),
        (remove("model.safetensors"), "no weights"),
        (pickled, "pickles, which are never loaded; save it again"),
        (half_downloaded, "1 of 2 weight files are absent, first .model-00002.*; finish"),
        (
            lambda c: (c / "model.safetensors.index.json").write_text("{}"),
            "index.json is damaged; fetch it again",
        ),
    ],
)
def test_what_is_not_a_model_is_reported_with_what_to_do(copy, spoil, message):
    spoil(copy)
    with pytest.raises(ConfigError, match=message):
        find_checkpoint(str(copy))


def test_fingerprint_knows_neither_place_nor_files(tiny, copy):
    expected = fingerprint(tiny)
    assert len(expected) == 16 and int(expected, 16)
    assert fingerprint(copy) == expected
    shard(copy)
    assert fingerprint(copy) == expected


def test_fingerprint_is_of_the_thinker(tiny, copy):
    """A talker beside it, the prefix of its keys, what transformers notes: none scores a clip."""

    def keep_thinker(tensors):
        for name in list(tensors):
            tensors[name.removeprefix("thinker.")] = tensors.pop(name)
        tensors["talker.model.norm.weight"] = torch.ones(8)
        tensors["code2wav.decoder.weight"] = torch.ones(8)

    change_weights(copy, keep_thinker)
    thinker = load_thinker_config(copy) | {"transformers_version": "4.57.0", "dtype": "float32"}
    (copy / "config.json").write_text(json.dumps(thinker))
    assert fingerprint(copy) == fingerprint(tiny)


def retrain(tensors):
    tensors["thinker.lm_head.weight"].view(torch.int16).bitwise_xor_(1)


def recast(tensors):
    tensors["thinker.lm_head.weight"] = tensors["thinker.lm_head.weight"].half()


def reshape(tensors):
    tensors["thinker.lm_head.weight"] = tensors["thinker.lm_head.weight"].mT.contiguous()


def rename(tensors):
    tensors["thinker.lm_head.other"] = tensors.pop("thinker.lm_head.weight")


@pytest.mark.parametrize("change", [retrain, recast, reshape, rename])
def test_fingerprint_sees_weights(tiny, copy, change):
    change_weights(copy, change)
    assert fingerprint(copy) != fingerprint(tiny)


def test_fingerprint_sees_one_expert_in_a_fused_tensor(copy):
    """As transformers 5 may save them: 16 MB here, and one of four experts trained."""
    name = "model.language_model.layers.9.mlp.experts.gate_up_proj"
    found = set()
    for expert in range(4):
        fused = torch.zeros(4, 2048, 1024, dtype=torch.bfloat16)
        fused[expert] = 1
        change_weights(copy, lambda tensors, fused=fused: tensors.update({name: fused}))
        found.add(fingerprint(copy))
    assert len(found) == 4


def test_fingerprint_sees_the_config(tiny, copy):
    change_config(copy, lambda c: c["thinker_config"].update(position_id_per_seconds=25))
    assert fingerprint(copy) != fingerprint(tiny)


def test_fingerprint_sees_the_tokenizer(tiny, copy):
    with (copy / "tokenizer.json").open("a") as file:
        file.write("\n")
    assert fingerprint(copy) != fingerprint(tiny)


@pytest.mark.parametrize("n_bytes", [0, 5, 500, 100_000])
def test_a_cut_off_file_is_reported(copy, n_bytes):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ConfigError, match=r"not a whole safetensors file .*; fetch it again"):
        find_checkpoint(str(copy))


def test_the_driver_needs_no_torch():
    code = (
        "import sys, ah_ray\n"
        "from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint\n"
        "fingerprint(find_checkpoint('tiny'))\n"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
