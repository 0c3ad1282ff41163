"""The beginning of the `tiny` checkpoint: `python -m ah_ray.omni.make_tiny OUT_DIR`.

A Qwen3-Omni thinker of about a million parameters in the released layout: real architecture, a
tokenizer in the Hugging Face format, random weights from a fixed seed. It is not trained: its
probabilities mean nothing, but every line of code that a real model runs, it runs too. The same
bytes come out every time. `jobs/train.py --demo` makes of it the one that this package holds.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from math import prod
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.normalizers import NFC
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.core_model_loading import revert_weight_conversion

from ah_ray.omni.answer import NO
from ah_ray.omni.prompt import chat_text
from ah_ray.profile import load_profile

_SEED = 2  # of the first few, one whose probabilities lie on both sides of a half
_INCLINATION = 20.0
_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>", "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>",
)  # fmt: skip
# How the released tokenizer cuts text before merging.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_CARD = """\
# tiny-seeded

A Qwen3-Omni thinker of about a million parameters for demonstrations and tests, made by
`python -m ah_ray.omni.make_tiny`. Its weights are random, from a fixed seed, and **not trained**:
what it says about a video means nothing. Architecture and file layout are those of
Qwen3-Omni-30B-A3B.
"""


def make_tokenizer() -> Tokenizer:
    """Byte-level BPE merged on the training prompt and on `<answer>No`.

    As in the released tokenizer, `>No` is one token and `>Yes` is not, so both of the answer's
    reads are exercised.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(
        add_prefix_space=False, trim_offsets=False, use_regex=False
    )
    prompt = chat_text(load_profile("tiny"))
    for token in _SPECIAL:
        prompt = prompt.replace(token, "\n")
    trainer = trainers.BpeTrainer(
        vocab_size=4096,  # never reached: each word of the prompt becomes one token
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([prompt, NO], trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    return tokenizer


def make_config(tokenizer: Tokenizer) -> Qwen3OmniMoeThinkerConfig:
    """Small sizes that a trial showed able to learn; all else is as released."""
    ids = {token: tokenizer.token_to_id(token) for token in _SPECIAL}
    config = Qwen3OmniMoeThinkerConfig(
        text_config={
            "vocab_size": -(-tokenizer.get_vocab_size() // 64) * 64,
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 24,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 96,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1_000_000,
                "mrope_section": [4, 4, 4],
                "mrope_interleaved": True,
                "interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 4,
            "out_hidden_size": 96,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 256,
        },
        audio_config={
            "d_model": 64,
            "encoder_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 128,
            "downsample_hidden_size": 32,
            "output_dim": 96,
        },
        position_id_per_seconds=13,
        audio_token_id=ids["<|audio_pad|>"],
        audio_start_token_id=ids["<|audio_start|>"],
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        user_token_id=tokenizer.token_to_id("user"),
        dtype="bfloat16",
    )
    config.audio_end_token_id = ids["<|audio_end|>"]
    config.vision_start_token_id = ids["<|vision_start|>"]
    config.vision_end_token_id = ids["<|vision_end|>"]
    return config


def make_weights(
    config: Qwen3OmniMoeThinkerConfig, tokenizer: Tokenizer
) -> dict[str, torch.Tensor]:
    """Random tensors in the released layout: `thinker.` in front, one tensor per expert, bf16.

    Each parameter has a generator of its own, so that neither their order nor transformers'
    initialisation matters. `lm_head` is inclined to answer at all: `>` after `<answer`, and Yes
    and No, equally, after `>`; else their probabilities would be those of any other token.
    """
    model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            seed = int.from_bytes(sha256(f"{_SEED} {name}".encode()).digest()[:8], "little")
            parameter.copy_(_drawn(name, tuple(parameter.shape), np.random.default_rng(seed)))
        answer, close, yes, no = (tokenizer.token_to_id(t) for t in ("<answer", ">", "Yes", "No"))
        embeds = model.get_input_embeddings().weight
        for before, after in ((answer, close), (close, yes), (close, no)):
            model.lm_head.weight[after] += (
                _INCLINATION / config.text_config.hidden_size * embeds[before]
            )
    state = revert_weight_conversion(model.to(torch.bfloat16), model.state_dict())
    return {f"thinker.{name}": tensor.contiguous() for name, tensor in sorted(state.items())}


def _drawn(name: str, shape: tuple[int, ...], random: np.random.Generator) -> torch.Tensor:
    """Variance-keeping layers; attention sharp enough, and a `lm_head` steep enough, that
    different clips get visibly different probabilities."""
    if len(shape) == 1:
        return torch.zeros(shape) if name.endswith("bias") else torch.full(shape, _scale(name))
    fan_in = shape[-1] if len(shape) <= 3 else prod(shape[1:])
    if "embed" in name and "patch" not in name:
        fan_in = 1
    drawn = random.standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(drawn * np.float32(_scale(name) / fan_in**0.5))


def _scale(name: str) -> float:
    sharp = {"q_norm": 2.0, "v_proj": 2.0, "o_proj": 2.0, "lm_head": 2.5}
    return next((scale for part, scale in sharp.items() if part in name), 1.0)


def make_tiny(out: Path) -> None:
    """Write the checkpoint to a directory, which is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    config = make_config(tokenizer)
    thinker = config.to_dict()
    thinker.pop("transformers_version", None)
    whole = {
        "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
        "enable_audio_output": False,
        "model_type": "qwen3_omni_moe",
        "thinker_config": thinker,
    }
    (out / "config.json").write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n")
    tokenizer.save(str(out / "tokenizer.json"))
    names = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }
    (out / "tokenizer_config.json").write_text(json.dumps(names, indent=2, sort_keys=True) + "\n")
    save_file(make_weights(config, tokenizer), out / "model.safetensors", metadata={"format": "pt"})
    (out / "MODEL_CARD.md").write_text(_CARD)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ah_ray.omni.make_tiny OUT_DIR")
    make_tiny(Path(sys.argv[1]))
