"""The prompt, token for token."""

import hashlib
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from ah_ray.errors import ConfigError
from ah_ray.omni.answer_tree import find_answer_tree
from ah_ray.omni.inputs.prompt import Slot, build_prompt, format_chat
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.profile import load_profile

GOLDEN = json.loads((Path(__file__).parents[2] / "goldens" / "sft_prompt_ids.json").read_text())


@pytest.mark.parametrize("name", ["seed", "seed-448", "tiny"])
def test_ids_are_those_of_the_fine_tuned_models(released_tokenizer, name):
    prompt = build_prompt(load_profile(name), released_tokenizer, ())
    assert (
        prompt.token_ids(GOLDEN["n_video_tokens"], GOLDEN["n_audio_tokens"]) == GOLDEN["input_ids"]
    )


def test_the_answers_beginning_follows(released_tokenizer):
    """Up to where both trained answers can still follow: `<answer>` as Yes spells it."""
    answers = find_answer_tree(released_tokenizer, load_profile("seed").complete_questions[0])
    start = (*answers.start, *answers.lines[0])
    prompt = build_prompt(load_profile("seed"), released_tokenizer, start)
    ids = prompt.token_ids(GOLDEN["n_video_tokens"], GOLDEN["n_audio_tokens"])
    assert ids == GOLDEN["input_ids"] + GOLDEN["answer_yes"][:3]


def test_order_and_system_prompt_are_the_profiles():
    profile = load_profile("seed").model_copy(
        update={"system": None, "user": "<audio>\nthen <video>?"}
    )
    assert format_chat(profile) == (
        "<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|>\n"
        "then <|vision_start|><|video_pad|><|vision_end|>?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_tiny_keeps_the_prompt_short(tiny):
    tokenizer = load_tokenizer(tiny)
    answers = find_answer_tree(tokenizer, load_profile("tiny").complete_questions[0])
    prompt = build_prompt(load_profile("tiny"), tokenizer, (*answers.start, *answers.lines[0]))
    assert len(prompt.token_ids(0, 0)) < 120
    decoded = tokenizer.decode(prompt.token_ids(1, 1), skip_special_tokens=False)
    assert decoded == format_chat(load_profile("tiny")) + "<answer>"


def test_a_tokenizer_without_the_special_tokens_is_refused():
    bare = Tokenizer(models.BPE())
    with pytest.raises(ConfigError, match=r"lacks <\|im_start\|>"):
        build_prompt(load_profile("seed"), bare, ())


def test_pad_tokens_written_by_hand_are_refused(released_tokenizer):
    user = "<video><audio> or <|video_pad|>"
    profile = load_profile("seed").model_copy(update={"user": user})
    with pytest.raises(ConfigError, match="write <video> and <audio>"):
        build_prompt(profile, released_tokenizer, ())


def test_seed_inference_is_the_published_text():
    """sha256 of `prompt_analysis` in inference/prompt.py of the published code."""
    profile = load_profile("seed-inference")
    media = "<|audio_start|><|audio_pad|><|audio_end|><|vision_start|><|video_pad|><|vision_end|>"
    begin, end = f"<|im_start|>user\n{media}", "<|im_end|>\n<|im_start|>assistant\n"
    text = format_chat(profile)
    assert text.startswith(begin) and text.endswith(end)
    words = text.removeprefix(begin).removesuffix(end)
    assert min(words.count("<video>"), words.count("<audio>")) > 1 and "\\" not in words
    assert hashlib.sha256(words.encode()).hexdigest() == (
        "abd0abb6c2340001c4a99d1a1af8709e7efa62eb34177351e2845b7c30122573"
    )
    sizes = {"name", "system", "user"}
    assert profile.model_dump(exclude=sizes) == load_profile("seed").model_dump(exclude=sizes)


def test_words_behind_a_backslash_are_no_places(tiny):
    profile = load_profile("tiny").model_copy(
        update={"user": r"<video>, not \<video>; <audio>, not \<audio>\<audio>"}
    )
    assert format_chat(profile).count("<|video_pad|>") == 1
    assert "not <video>; " in format_chat(profile) and "not <audio><audio>" in format_chat(profile)
    pieces = build_prompt(profile, load_tokenizer(tiny), ()).pieces
    assert [piece for piece in pieces if isinstance(piece, Slot)] == [Slot.VIDEO, Slot.AUDIO]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user: '<video> <video> <audio>'", r"must hold <video> exactly once .* \\<video>"),
        (r"user: '\<video> <audio>'", "must hold <video> exactly once"),
        ("user: '<video>'", "must hold <audio> exactly once"),
        ("extends: sed", "extends 'sed', which is no built-in profile"),
        ("extends: [seed]", "which is no built-in profile"),
        ("extends: seed\nuser: '<video>'", "must hold <audio>"),
    ],
)
def test_a_users_own_file_that_is_wrong(tmp_path, text, problem):
    sizes = "" if "extends" in text else "\nmin_pixels: 4096\nmax_pixels: 4096\nsecond_per_grid: 2"
    (tmp_path / "mine.yaml").write_text(text + sizes)
    with pytest.raises(ConfigError, match=problem):
        load_profile(str(tmp_path / "mine.yaml"))


def test_a_users_own_file_names_only_what_is_different(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: seed\nmax_pixels: 200704\n")
    mine, seed = load_profile(str(tmp_path / "mine.yaml")), load_profile("seed")
    assert (mine.name, mine.max_pixels, mine.user) == ("mine", 200704, seed.user)
