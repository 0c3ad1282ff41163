"""jobs/merge.py as a user meets it."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from in_process import run_here
from safetensors.numpy import save_file

TINY = "tiny"
merge = partial(run_here, "merge")


@pytest.fixture
def adapter(tmp_path) -> Path:
    folder = tmp_path / "my-lora"
    folder.mkdir()
    settings = {"peft_type": "LORA", "r": 1, "lora_alpha": 2}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    module = "base_model.model.thinker.model.layers.0.mlp.experts.2.up_proj"
    factors = {
        f"{module}.lora_A.weight": np.ones((1, 96), np.float32),
        f"{module}.lora_B.weight": np.ones((96, 1), np.float32),
    }
    save_file(factors, folder / "adapter_model.safetensors")
    return folder


def test_a_merge(adapter, tmp_path):
    out = tmp_path / "merged"
    ran = merge("--base", TINY, "--adapter", adapter, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert f"{out}: tiny + my-lora; weights changed: 1" in ran.stdout
    assert {"config.json", "tokenizer.json", "model.safetensors", "merge.json"} <= {
        path.name for path in out.iterdir()
    }
    again = merge("--base", TINY, "--adapter", adapter, "--out", out)
    assert again.returncode == 2
    assert again.stderr == f"error: --out {out} exists; name a new directory, or remove it\n"


def test_what_is_wrong_is_one_line(adapter, tmp_path):
    for arguments, message in (
        (("--base", tmp_path, "--adapter", adapter), "no config.json"),
        (("--base", TINY, "--adapter", tmp_path), "no adapter_config.json"),
        (("--base", TINY), "--adapter is missing"),
    ):
        ran = merge(*arguments, "--out", tmp_path / "merged")
        assert ran.returncode == 2 and ran.stderr.count("\n") == 1, ran.stderr
        assert message in ran.stderr


def test_an_adapter_is_merged_once_and_into_its_own_base(adapter, tmp_path):
    once = ("--base", TINY, "--adapter", adapter, "--out", tmp_path / "once")
    assert merge(*once).returncode == 0
    twice = ("--base", tmp_path / "once", "--adapter", adapter, "--out", tmp_path / "twice")
    ran = merge(*twice)
    assert ran.returncode == 2 and "is in the model already" in ran.stderr
    assert merge(*twice, "--any-base").returncode == 0
    config = json.loads((adapter / "adapter_config.json").read_text())
    named = config | {"base_model_name_or_path": "Qwen/Qwen3-Omni-30B-A3B-Thinking"}
    (adapter / "adapter_config.json").write_text(json.dumps(named))
    other = ("--base", TINY, "--adapter", adapter, "--out", tmp_path / "other")
    ran = merge(*other)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
    assert "it was trained on Qwen/Qwen3-Omni-30B-A3B-Thinking, and this model is" in ran.stderr
    assert merge(*other, "--any-base").returncode == 0
