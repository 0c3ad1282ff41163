"""A thinker with random weights, made where it is to run, and clips of noise for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.weights.checkpoint import find_checkpoint, load_thinker_config
from ah_ray.profile import NO, YES
from ah_ray.records import Clip

_GOLDENS = Path(__file__).parent.parent / "tests" / "goldens"
N_PICTURES = 32
_INCLINATION = 200.0


def full_size() -> tuple[Qwen3OmniMoeThinkerConfig, Tokenizer]:
    """Qwen3-Omni-30B-A3B's sizes, and a tokenizer with its ids, large enough for the prompt."""
    sizes = json.loads((_GOLDENS / "released_sizes.json").read_text())
    tokenizer = Tokenizer.from_file(str(_GOLDENS / "tokenizer_subset.json"))
    return Qwen3OmniMoeThinkerConfig(**sizes), tokenizer


def tiny_size() -> tuple[Qwen3OmniMoeThinkerConfig, Tokenizer]:
    checkpoint = find_checkpoint("tiny")
    config = Qwen3OmniMoeThinkerConfig.from_dict(load_thinker_config(checkpoint))
    return config, load_tokenizer(checkpoint)


def make_model(
    config: Qwen3OmniMoeThinkerConfig,
    tokenizer: Tokenizer,
    dtype: torch.dtype,
    device: torch.device,
) -> Qwen3OmniMoeThinkerForConditionalGeneration:
    """Every matrix keeps the variance of what passes through it, so that values, and with them the
    GPU's power draw, are like those of a trained model. No file, no copy from the CPU.

    `lm_head` is inclined to answer at all, with Yes and No equally, or P(A/H) would be 0 always.
    """
    with device:
        model = Qwen3OmniMoeThinkerForConditionalGeneration._from_config(
            config, dtype=dtype, attn_implementation="sdpa"
        )
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            elif "embed" in name and "patch" not in name:
                parameter.normal_(generator=generator)
            else:
                fan_in = parameter[0].numel() if "experts" not in name else parameter.shape[-1]
                parameter.normal_(std=fan_in**-0.5, generator=generator)
        answer, close, yes, no = (
            tokenizer.encode(text, add_special_tokens=False).ids[-1]
            for text in ("<answer", ">", YES, NO)
        )
        embeds = model.get_input_embeddings().weight
        for before, after in ((answer, close), (close, yes), (close, no)):
            model.lm_head.weight[after] += (
                _INCLINATION / config.text_config.hidden_size * embeds[before]
            )
    return model.eval().requires_grad_(False)


def make_clips(n: int, height_px: int, width_px: int, seconds: float = 5.0) -> list[Clip]:
    """n different clips; they share a few pictures, or they would fill the memory."""
    random = np.random.default_rng(0)
    shape = (2 * int(seconds), height_px, width_px, 3)
    pictures = [random.integers(0, 256, shape, dtype=np.uint8) for _ in range(min(n, N_PICTURES))]
    return [
        Clip(
            clip_index=index,
            start_s=0.0,
            end_s=seconds,
            frames=pictures[index % N_PICTURES],
            samples=random.normal(0, 0.1, round(16_000 * seconds)).astype(np.float32),
        )
        for index in range(n)
    ]
