"""An adapter belongs to the base that its record names, once; --any-base overrides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_files import swift_factors, write_adapter
from layouts import LAYOUTS, in_float32
from safetensors.torch import load_file, save_file

from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.weights.adapter import read_adapter
from ah_ray.omni.weights.adapter_base import check_base, describe_base
from ah_ray.omni.weights.checkpoint import fingerprint
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.weight_comparison import have_same_weights
from ah_ray.pipeline.resolve import resolve

Q = "thinker.model.layers.0.self_attn.q_proj.weight"
HUB = "Qwen/Qwen3-Omni-30B-A3B-"
OTHER = "it was trained on .*; give the base that it was trained on; if you want this"


@pytest.fixture
def base(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "Qwen3-Omni-Instruct"))


@pytest.fixture
def another(base, tmp_path) -> Path:
    """The same sizes with other weights: everything of an adapter fits it."""
    folder = Path(shutil.copytree(base, tmp_path / "Qwen3-Omni-Thinking"))
    weights = load_file(folder / "model.safetensors")
    weights[Q] = weights[Q] + 0.1
    save_file(weights, folder / "model.safetensors")
    return folder


def adapter(folder: Path, seed: int = 0, **settings: Any) -> Path:
    return write_adapter(folder, swift_factors({Q: (96, 96)}, seed=seed), **settings)


def trained_here(folder: Path, base: Path, seed: int = 0) -> Path:
    """An adapter of jobs/train.py, with its record."""
    adapter(folder, seed, base_model_name_or_path=base.name)
    record = {"base": describe_base(base.name, base)}
    (folder / "training.json").write_text(json.dumps(record))
    return folder


def check(base: Path, *adapters: Path) -> None:
    check_base(base, [read_adapter(each) for each in adapters])


def test_the_fingerprint_in_training_json_decides(base, another, tmp_path):
    lora = trained_here(tmp_path / "lora", base)
    check(base, lora)
    check(Path(shutil.copytree(base, tmp_path / "called otherwise")), lora)
    with pytest.raises(ConfigError, match=rf"Qwen3-Omni-Instruct \(fingerprint .*{OTHER[22:]}"):
        check(another, lora)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_recorded_folder_that_is_still_there_is_compared(layout, base, another, tmp_path):
    """As peft records it; the same weights in another layout are the same base."""
    lora = adapter(tmp_path / "lora", base_model_name_or_path=str(base))
    layout(base, tmp_path / "given")
    check(tmp_path / "given", lora)
    check(in_float32(base, tmp_path / "wide"), lora)
    with pytest.raises(ConfigError, match=OTHER):
        check(another, lora)


@pytest.mark.parametrize(
    ("recorded", "folder", "same"),
    [
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", "Qwen3-Omni-30B-A3B-Instruct", True),
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", "qwen3-omni", True),
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct/", "qwen3_omni_30b_a3b_instruct", True),
        ("/root/gone/qwen3-omni", "qwen3-omni-30b", True),
        ("base", "base", True),
        (None, "base", True),
        ("", "base", True),
        ("Qwen/Qwen3-Omni-30B-A3B-Thinking", "Qwen3-Omni-30B-A3B-Instruct", False),
        ("Qwen/Qwen3-Omni-30B-A3B-Captioner", "Qwen3-Omni-30B-A3B-Instruct", False),
        ("Qwen/Qwen2.5-Omni-7B", "qwen3-omni", False),
        ("/root/gone/base", "qwen3-omni", False),
    ],
)
def test_a_name_decides_where_nothing_else_is_left(tiny, tmp_path, recorded, folder, same):
    base = Path(shutil.copytree(tiny, tmp_path / folder))
    lora = adapter(tmp_path / "lora", base_model_name_or_path=recorded)
    if same:
        check(base, lora)
    else:
        with pytest.raises(ConfigError, match=OTHER):
            check(base, lora)


def test_the_names_in_a_hubs_cache(tiny, tmp_path):
    snapshot = tmp_path / "models--Qwen--Qwen3-Omni-30B-A3B-Instruct" / "snapshots" / "0f3e"
    shutil.copytree(tiny, snapshot)
    check(
        snapshot,
        adapter(tmp_path / "a", base_model_name_or_path="Qwen/Qwen3-Omni-30B-A3B-Instruct"),
    )
    with pytest.raises(ConfigError, match=OTHER):
        check(
            snapshot,
            adapter(tmp_path / "b", base_model_name_or_path="Qwen/Qwen3-Omni-30B-A3B-Thinking"),
        )


def test_merged_twice(base, tmp_path):
    first, second = adapter(tmp_path / "first"), adapter(tmp_path / "second", seed=1)
    with pytest.raises(ConfigError, match=r"in the model already .*would count twice"):
        check(base, first, second, first)
    write_merged_checkpoint(base, [first], tmp_path / "once")
    write_merged_checkpoint(tmp_path / "once", [second], tmp_path / "both")
    for merged in ("once", "both"):
        again = Path(shutil.copytree(first, tmp_path / f"copy for {merged}"))
        with pytest.raises(ConfigError, match=r"in the model already \(as 'first'\)"):
            write_merged_checkpoint(tmp_path / merged, [again], tmp_path / "twice", any_base=False)
        assert not (tmp_path / "twice").exists()
    write_merged_checkpoint(tmp_path / "once", [first], tmp_path / "twice", any_base=True)


def test_an_adapter_of_the_base_before_a_merge(base, tmp_path):
    write_merged_checkpoint(
        base, [adapter(tmp_path / "first")], tmp_path / "Qwen3-Omni-Instruct-ah"
    )
    named = adapter(tmp_path / "named", 1, base_model_name_or_path="org/Qwen3-Omni-Instruct")
    for lora in (named, trained_here(tmp_path / "ours", base, seed=2)):
        with pytest.raises(ConfigError, match=OTHER):
            check(tmp_path / "Qwen3-Omni-Instruct-ah", lora)


def test_an_adapter_that_was_trained_on_the_merge_of_those_before(base, tmp_path):
    first = trained_here(tmp_path / "first", base)
    write_merged_checkpoint(base, [first], tmp_path / "merged")
    second = trained_here(tmp_path / "second", tmp_path / "merged", seed=1)
    check(tmp_path / "merged", second)
    check(base, first, second)
    for wrong in ([second], [trained_here(tmp_path / "third", base, seed=2), second]):
        with pytest.raises(ConfigError, match=OTHER):
            check(base, *wrong)


def test_the_job_refuses_it_before_anything_starts(base, another, tmp_path):
    lora = trained_here(tmp_path / "lora", base)
    given = {"videos": "v", "out": "o", "model": str(another), "adapter": str(lora)}
    given |= {"profile": "tiny", "device": "cpu"}
    with pytest.raises(ConfigError, match=OTHER):
        resolve(score_settings(**given))
    meant = resolve(score_settings(**given, any_base=True))
    assert meant.models[0].fingerprint == fingerprint(another)


@pytest.mark.parametrize("record", ["[]", "{", '{"base": "x", "adapters": 7}', '{"adapters": [1]}'])
def test_a_record_that_is_none_is_no_record(base, tmp_path, record):
    (base / "merge.json").write_text(record)
    lora = adapter(tmp_path / "lora")
    (lora / "training.json").write_text(record)
    check(base, lora)


def test_one_changed_weight_is_another_model(base, tmp_path):
    other = Path(shutil.copytree(base, tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    name = "thinker.model.layers.1.input_layernorm.weight"
    for change, same in ((lambda w: w, True), (lambda w: w * 1.5, False)):
        save_file(weights | {name: change(weights[name])}, other / "model.safetensors")
        assert have_same_weights(open_folder(base), open_folder(other)) is same
    save_file(weights | {"extra": torch.zeros(1)}, other / "model.safetensors")
    assert not have_same_weights(open_folder(base), open_folder(other))
