"""The prompt, token for token."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from ah_ray.errors import ConfigError
from ah_ray.omni.answer import read_answer
from ah_ray.omni.prompt import build_prompt, chat_text
from ah_ray.omni.tokens import load_tokenizer
from ah_ray.profile import load_profile

GOLDEN = json.loads((Path(__file__).parent.parent / "goldens" / "sft_prompt_ids.json").read_text())


@pytest.mark.parametrize("name", ["seed", "seed-448", "tiny"])
def test_ids_are_those_of_the_fine_tuned_models(released_tokenizer, name):
    prompt = build_prompt(load_profile(name), released_tokenizer, ())
    assert prompt.ids(GOLDEN["n_video_tokens"], GOLDEN["n_audio_tokens"]) == GOLDEN["input_ids"]


def test_the_answers_beginning_follows(released_tokenizer):
    """Up to where both trained answers can still follow: `<answer>` as Yes spells it."""
    start = read_answer(released_tokenizer).start
    prompt = build_prompt(load_profile("seed"), released_tokenizer, start)
    ids = prompt.ids(GOLDEN["n_video_tokens"], GOLDEN["n_audio_tokens"])
    assert ids == GOLDEN["input_ids"] + GOLDEN["answer_yes"][:3]


def test_order_and_system_prompt_are_the_profiles():
    profile = load_profile("seed").model_copy(
        update={"system": None, "user": "<audio>\nthen <video>?"}
    )
    assert chat_text(profile) == (
        "<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|>\n"
        "then <|vision_start|><|video_pad|><|vision_end|>?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_tiny_keeps_the_prompt_short(tiny):
    tokenizer = load_tokenizer(tiny)
    prompt = build_prompt(load_profile("tiny"), tokenizer, read_answer(tokenizer).start)
    assert len(prompt.ids(0, 0)) < 120
    decoded = tokenizer.decode(prompt.ids(1, 1), skip_special_tokens=False)
    assert decoded == chat_text(load_profile("tiny")) + "<answer>"


def test_a_tokenizer_without_the_special_tokens_is_refused():
    bare = Tokenizer(models.BPE())
    with pytest.raises(ConfigError, match=r"lacks <\|im_start\|>"):
        build_prompt(load_profile("seed"), bare, ())


def test_pad_tokens_written_by_hand_are_refused(released_tokenizer):
    user = "<video><audio> or <|video_pad|>"
    profile = load_profile("seed").model_copy(update={"user": user})
    with pytest.raises(ConfigError, match="write <video> and <audio>"):
        build_prompt(profile, released_tokenizer, ())
