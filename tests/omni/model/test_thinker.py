"""Every layout that a model is saved in gives the same numbers; what does not fit is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip
from safetensors.torch import load_file, save_file

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint, load_thinker_config

CLIPS = [draw_clip(0), draw_clip(1, n_frames=4, seconds=1.7)]


def load(checkpoint: Path, profile) -> OmniScorer:
    find_checkpoint(str(checkpoint))
    return OmniScorer.load(checkpoint, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")


def p_of(scorer: OmniScorer) -> np.ndarray:
    return np.array([score.p_ah for score in scorer.score(CLIPS)])


@pytest.fixture(scope="module")
def expected(scorer) -> np.ndarray:
    return p_of(scorer)


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def change_weights(checkpoint: Path, change) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    change(tensors)
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("released_layout", [True, False])
@pytest.mark.parametrize("largest_shard", ["1GB", "300KB"])
def test_saved_again_by_transformers(
    reference, tiny, tmp_path, profile, expected, released_layout, largest_shard
):
    reference.model.save_pretrained(
        tmp_path, save_original_format=released_layout, max_shard_size=largest_shard
    )
    shutil.copy(tiny / "tokenizer.json", tmp_path)
    assert (p_of(load(tmp_path, profile)) == expected).all()


def test_the_thinker_alone(copy, profile, expected):
    (copy / "config.json").write_text(json.dumps(load_thinker_config(copy)))
    change_weights(
        copy,
        lambda tensors: [
            tensors.update({name.removeprefix("thinker."): tensors.pop(name)})
            for name in list(tensors)
        ],
    )
    assert (p_of(load(copy, profile)) == expected).all()


def test_a_talker_is_left_on_disk(copy, profile, expected):
    talker = {"talker.model.norm.weight": torch.ones(8), "code2wav.x.weight": torch.ones(8)}
    change_weights(copy, lambda tensors: tensors.update(talker))
    assert (p_of(load(copy, profile)) == expected).all()


def test_old_buffers_do_no_harm(copy, profile, expected):
    name = "thinker.model.rotary_emb.inv_freq"
    change_weights(copy, lambda tensors: tensors.update({name: torch.ones(12)}))
    assert (p_of(load(copy, profile)) == expected).all()


ROUTER = "thinker.model.layers.1.mlp.gate.weight"
EXPERT = "thinker.model.layers.1.mlp.experts.3.up_proj.weight"
LORA = "thinker.model.layers.1.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(ROUTER), "lacks .*layers.1.mlp.gate.weight"),
        (lambda t: t.pop(EXPERT), "lack up_proj of expert 3 in layer 1"),
        (lambda t: t.update({LORA: torch.ones(2, 96)}), "no place for .*merge an adapter"),
        (lambda t: t.update({ROUTER: torch.ones(5, 96)}), "another shape .*mlp.gate.weight"),
    ],
    ids=["missing", "missing expert", "adapter", "shape"],
)
def test_weights_that_do_not_fit_are_named(copy, profile, change, message):
    change_weights(copy, change)
    with pytest.raises(ConfigError, match=message):
        load(copy, profile)


def test_a_damaged_file_is_named(copy, profile):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ConfigError, match="not a whole safetensors file"):
        load(copy, profile)


def test_a_file_that_was_damaged_since_it_was_found(copy, profile):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ConfigError, match="cannot be loaded: "):
        OmniScorer.load(copy, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")


def test_another_window_is_refused(copy, profile):
    config = json.loads((copy / "config.json").read_text())
    config["thinker_config"]["audio_config"]["n_window"] = 100
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="mel windows differ"):
        load(copy, profile)


def test_a_damaged_tokenizer_is_named(copy, profile):
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"the tokenizer cannot be read .*; copy it"):
        load(copy, profile)


def test_the_tokenizer_as_qwen_releases_it(released_tokenizer, tmp_path):
    """vocab.json and merges.txt, the special tokens in tokenizer_config.json."""
    whole = json.loads(released_tokenizer.to_str())
    (tmp_path / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]))
    merges = [" ".join(merge) for merge in whole["model"]["merges"]]
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    added = {str(token.pop("id")): token for token in whole["added_tokens"]}
    config = {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    text = "<|im_start|>system\nYou are<|audio_pad|><answer>No</answer>"
    found = load_tokenizer(tmp_path).encode(text, add_special_tokens=False).ids
    assert found == released_tokenizer.encode(text, add_special_tokens=False).ids
