"""Make the untrained form of the `tiny` checkpoint: `python -m ah_ray.omni.make_tiny OUT_DIR`.

It is a Qwen3-Omni thinker of about a million parameters in the released layout: real architecture,
a tokenizer in the Hugging Face format, random weights from a fixed seed. It is not trained, so its
probabilities mean nothing, but it runs every line of code that a real model runs. The same bytes
come out every time. `jobs/train.py --demo` trains it into the model that this package ships.
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

from ah_ray.omni.inputs.config_parts import get_text_config
from ah_ray.omni.inputs.prompt import format_chat
from ah_ray.omni.inputs.tokenizer import find_special_id
from ah_ray.profile import NO, YES, load_profile

_SEED = 2  # a seed whose probabilities lie on both sides of 0.5
_ANSWER_BIAS = 20.0
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
its answers about a video mean nothing. Architecture and file layout are those of
Qwen3-Omni-30B-A3B.
"""


def make_tokenizer() -> Tokenizer:
    """Return a byte-level BPE tokenizer, trained on the prompt and on `<answer>No`.

    As in the released tokenizer, `>No` is one token and `>Yes` is not, so both reads of the answer
    are used.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    profile = load_profile("tiny")
    prompt = format_chat(profile)
    for token in _SPECIAL:
        prompt = prompt.replace(token, "\n")
    trainer = trainers.BpeTrainer(
        vocab_size=4096,  # never reached: each word of the prompt becomes one token
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([prompt, profile.answer_text(False)], trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    return tokenizer


def make_config(tokenizer: Tokenizer) -> Qwen3OmniMoeThinkerConfig:
    """Return a config with small sizes that were found able to learn; all else is as released."""
    ids = {token: find_special_id(tokenizer, token) for token in (*_SPECIAL, "user")}
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
        user_token_id=ids["user"],
        dtype="bfloat16",
    )
    config.audio_end_token_id = ids["<|audio_end|>"]
    config.vision_start_token_id = ids["<|vision_start|>"]
    config.vision_end_token_id = ids["<|vision_end|>"]
    return config


def make_weights(
    config: Qwen3OmniMoeThinkerConfig, tokenizer: Tokenizer
) -> dict[str, torch.Tensor]:
    """Return random bf16 tensors in the released layout: prefix `thinker.`, one tensor per expert.

    Each parameter has its own generator, so neither the order of parameters nor the initialisation
    of transformers matters. `lm_head` is biased to answer: towards `>` after `<answer`, and equally
    towards Yes and No after `>`. Otherwise their probabilities would be those of any other token.
    """
    model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            seed = int.from_bytes(sha256(f"{_SEED} {name}".encode()).digest()[:8], "little")
            parameter.copy_(
                _draw_weights(name, tuple(parameter.shape), np.random.default_rng(seed))
            )
        answer, close, yes, no = (tokenizer.token_to_id(t) for t in ("<answer", ">", YES, NO))
        embeds = model.model.language_model.embed_tokens.weight
        for before, after in ((answer, close), (close, yes), (close, no)):
            model.lm_head.weight[after] += (
                _ANSWER_BIAS / get_text_config(config).hidden_size * embeds[before]
            )
    state = revert_weight_conversion(model.bfloat16(), model.state_dict())
    return {f"thinker.{name}": tensor.contiguous() for name, tensor in sorted(state.items())}


def _draw_weights(name: str, shape: tuple[int, ...], random: np.random.Generator) -> torch.Tensor:
    """Return one random tensor that keeps the variance of its layer.

    Attention is sharp enough, and `lm_head` steep enough, that different clips get clearly
    different probabilities.
    """
    if len(shape) == 1:
        return (
            torch.zeros(shape)
            if name.endswith("bias")
            else torch.full(shape, _get_weight_scale(name))
        )
    fan_in = shape[-1] if len(shape) <= 3 else prod(shape[1:])
    if "embed" in name and "patch" not in name:
        fan_in = 1
    drawn = random.standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(drawn * np.float32(_get_weight_scale(name) / fan_in**0.5))


def _get_weight_scale(name: str) -> float:
    sharp = {"q_norm": 2.0, "v_proj": 2.0, "o_proj": 2.0, "lm_head": 2.5}
    return next((scale for part, scale in sharp.items() if part in name), 1.0)


def make_tiny(out: Path) -> None:
    """Write the checkpoint to a directory, which is created if needed."""
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
