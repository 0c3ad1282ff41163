"""A tokenizer gives the ids that its model was trained on, or is refused with both ids named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from adapter_files import swift_factors, write_adapter
from drawn_clips import draw_clip
from tokenizer_files import change_tokenizer, drop_token, exchange_ids, split_tokenizer

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.prompt import SPECIAL
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.inputs.tokenizer_check import check_tokenizers
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.scorer import OmniScorer

CLIP = draw_clip(0)
Q = "thinker.model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "my-model"))


@pytest.fixture
def adapter(tiny, tmp_path) -> Path:
    """One that brings its base's tokenizer, as ms-swift and peft's users save it."""
    folder = write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny / name, folder)
    return folder


PADDING = {
    "strategy": {"Fixed": 2048},
    "direction": "Left",
    "pad_to_multiple_of": None,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "<|endoftext|>",
}
TRUNCATION = {"direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0}


@pytest.mark.parametrize(
    "left",
    [
        {"padding": PADDING},
        {"padding": PADDING | {"direction": "Right", "strategy": "BatchLongest"}},
        {"padding": PADDING | {"strategy": "BatchLongest", "pad_to_multiple_of": 64}},
        {"truncation": TRUNCATION},
        {"truncation": TRUNCATION | {"direction": "Left"}, "padding": PADDING},
        {"model": {"dropout": 0.5}},
    ],
)
def test_what_a_training_left_in_it_changes_no_score(copy, scorer, profile, left):
    def change(content):
        for name, value in left.items():
            content[name] = content[name] | value if name == "model" else value

    change_tokenizer(copy, change)
    changed = OmniScorer.load(copy, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    assert changed.score([CLIP])[0].p_ah == scorer.score([CLIP])[0].p_ah


@pytest.mark.parametrize("added", ["config", "file"])
def test_vocab_and_merges_with_their_added_tokens(copy, tiny, profile, added):
    split_tokenizer(copy, added=added)
    found, expected = check_tokenizers(copy, (), profile), load_tokenizer(tiny)
    assert [found.token_to_id(t) for t in SPECIAL] == [expected.token_to_id(t) for t in SPECIAL]


def test_vocab_and_merges_without_them(copy, profile):
    split_tokenizer(copy, added="lost")
    with pytest.raises(ConfigError, match=r"lacks <\|im_start\|>, which the prompt needs; copy"):
        check_tokenizers(copy, (), profile)


@pytest.mark.parametrize("token", SPECIAL)
def test_a_token_that_the_prompt_needs_is_lost(copy, profile, token):
    change_tokenizer(copy, drop_token(token))
    with pytest.raises(ConfigError, match="which the prompt needs"):
        check_tokenizers(copy, (), profile)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("<|video_pad|>", "<|audio_pad|>"),
        ("<|image_pad|>", "<|video_pad|>"),
        ("<|vision_start|>", "<|vision_end|>"),
        ("<|audio_start|>", "<|im_end|>"),
        ("<|endoftext|>", "<|audio_end|>"),
    ],
)
def test_permuted_ids_are_reported_with_both(copy, profile, first, second):
    change_tokenizer(copy, exchange_ids(first, second))
    with pytest.raises(ConfigError, match=r"> is 4\d\d in its tokenizer and 4\d\d in its config"):
        check_tokenizers(copy, (), profile)
    with pytest.raises(ConfigError, match="copy the tokenizer's files"):
        OmniScorer.load(copy, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")


def test_the_chat_tokens_are_held_against_the_tokenizers_own_config(copy, profile):
    ids = {token: load_tokenizer(copy).token_to_id(token) for token in SPECIAL}
    decoder = {str(number): {"content": token} for token, number in ids.items()}
    path = copy / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added_tokens_decoder": decoder}))
    check_tokenizers(copy, (), profile)
    change_tokenizer(copy, exchange_ids("<|im_start|>", "<|im_end|>"))
    said = r"<\|im_start\|> is 409 in its tokenizer and 408 in its tokenizer_config.json"
    with pytest.raises(ConfigError, match=said):
        check_tokenizers(copy, (), profile)


def test_defaults_of_the_library_beside_a_small_vocabulary_are_no_ids(copy, profile):
    """As transformers writes the whole config of a tiny model."""
    config = json.loads((copy / "config.json").read_text())
    config |= {"im_start_token_id": 151644, "system_token_id": 8948}
    (copy / "config.json").write_text(json.dumps(config))
    check_tokenizers(copy, (), profile)
    (copy / "config.json").write_text(json.dumps(config | {"im_start_token_id": 5}))
    with pytest.raises(ConfigError, match=r"is 408 in its tokenizer and 5 in its config\.json"):
        check_tokenizers(copy, (), profile)


def test_ids_beyond_the_vocabulary_are_a_sentence(copy, profile):
    config = json.loads((copy / "config.json").read_text())
    config["thinker_config"]["text_config"]["vocab_size"] = 400
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"the id 4\d\d, and the model's vocabulary ends at 399"):
        check_tokenizers(copy, (), profile)


def test_the_adapters_own_tokenizer_agrees(copy, adapter, profile, tmp_path):
    check_tokenizers(copy, [adapter], profile)
    change_tokenizer(adapter, lambda content: content.update(padding=PADDING))
    check_tokenizers(copy, [adapter], profile)
    write_merged_checkpoint(copy, [adapter], tmp_path / "merged")


@pytest.mark.parametrize(
    "change",
    [
        exchange_ids("<|video_pad|>", "<|audio_pad|>"),
        drop_token("<|audio_end|>"),
        lambda content: content["model"].update(merges=content["model"]["merges"][:-20]),
    ],
)
def test_the_adapters_own_tokenizer_differs(copy, adapter, profile, tmp_path, change):
    change_tokenizer(adapter, change)
    said = "--adapter .*: its tokenizer gives the prompt other ids .*give the base that it was"
    with pytest.raises(ConfigError, match=said):
        check_tokenizers(copy, [adapter], profile)
    with pytest.raises(ConfigError, match=said):
        write_merged_checkpoint(copy, [adapter], tmp_path / "merged")
    settings = {"profile": profile, "arithmetic": Arithmetic.FLOAT32, "device": "cpu"}
    with pytest.raises(ConfigError, match=said):
        OmniScorer.load(copy, **settings, adapters=[adapter])
