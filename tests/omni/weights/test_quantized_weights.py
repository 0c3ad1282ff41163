"""Quantised folders are refused from their config, or their headers, with what to give instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from in_process import run_here
from safetensors.torch import load_file, save_file

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.checkpoint import find_checkpoint

Q = "thinker.model.layers.0.self_attn.q_proj.weight"
INSTEAD = "give the bf16 model that it was quantised from"
METHODS = {
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "awq": {"quant_method": "awq", "bits": 4, "version": "gemm"},
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True},
    "compressed-tensors": {"quant_method": "compressed-tensors", "format": "pack-quantized"},
    "fp8": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    "auto-round": {"quant_method": "auto-round", "bits": 4},
    "hqq": {"quant_method": "hqq"},
    "torchao": {"quant_method": "torchao"},
}


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "my-model"))


def add_to_config(checkpoint: Path, part: tuple[str, ...], **values: object) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    place = config
    for name in part:
        place = place[name]
    place.update(values)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("part", [(), ("thinker_config",), ("thinker_config", "text_config")])
@pytest.mark.parametrize("method", METHODS)
def test_a_config_that_says_so(copy, method, part):
    add_to_config(copy, part, quantization_config=METHODS[method])
    (copy / "model.safetensors").write_bytes(b"not even read")
    with pytest.raises(ConfigError, match=rf"quantised \({method}\).*; {INSTEAD}"):
        find_checkpoint(str(copy))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("compression_config", {"format": "pack-quantized"}, "compression_config"),
        ("quantization", {"group_size": 64, "bits": 4}, "quantization"),  # of MLX
        ("quantization_config", {"bits": 4}, "quantization_config"),
    ],
)
def test_other_names_for_it(copy, name, value, told):
    add_to_config(copy, (), **{name: value})
    with pytest.raises(ConfigError, match=rf"quantised \({told}\)"):
        find_checkpoint(str(copy))


@pytest.mark.parametrize(
    ("name", "told"),
    [("quantize_config.json", "gptq"), ("quant_config.json", "awq"),
     ("hf_quant_config.json", "modelopt")],
)  # fmt: skip
def test_a_file_beside_the_config(copy, name, told):
    (copy / name).write_text('{"bits": 4}')
    with pytest.raises(ConfigError, match=rf"quantised \({told}\)"):
        find_checkpoint(str(copy))


@pytest.mark.parametrize("with_config", [True, False])
def test_gguf(copy, with_config):
    (copy / "model.safetensors").rename(copy / "qwen3-omni-Q4_K_M.gguf")
    if not with_config:
        (copy / "config.json").unlink()
    with pytest.raises(ConfigError, match=rf"Q4_K_M\.gguf.* \(GGUF\).*; {INSTEAD}"):
        find_checkpoint(str(copy))


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.float8_e4m3fn])
def test_tensors_that_are_no_floats(copy, dtype):
    weights = load_file(copy / "model.safetensors")
    weights[Q] = weights[Q].to(dtype)
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(ConfigError, match=r"q_proj\.weight is .*, so the weights are quantised"):
        find_checkpoint(str(copy))


def test_what_is_not_quantised_is_fine(copy):
    add_to_config(copy, ("thinker_config",), quantization_config=None)
    (copy / "leftover.gguf").write_bytes(b"beside whole weights")
    assert find_checkpoint(str(copy)) == copy


@pytest.mark.parametrize("job", ["score", "merge", "train"])
def test_every_job_says_so_and_exits_with_2(copy, tmp_path, job):
    add_to_config(copy, (), quantization_config=METHODS["awq"])
    flags = {
        "score": ("--videos", tmp_path, "--model", copy, "--out", tmp_path / "out"),
        "merge": ("--base", copy, "--adapter", tmp_path, "--out", tmp_path / "out"),
        "train": ("--labels", tmp_path, "--model", copy, "--out", tmp_path / "out"),
    }[job]
    done = run_here(job, *flags)
    assert done.returncode == 2 and "quantised (awq)" in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
