"""Floating point operations that one clip costs, counted from the config.

A multiplication and its addition are two. Counted are matrix products, convolutions and attention
(causal attention as the half that is needed); norms, activations and softmax are left out, as is
usual. The whole model is counted: that our pass asks the last layer about the answer only saves
about 1%, which the share of the roofline therefore flatters by.
"""

from __future__ import annotations

from transformers import Qwen3OmniMoeThinkerConfig

from ah_ray.omni.audio import CHUNK, SAMPLE_RATE_HZ, n_audio_tokens, n_mel_frames
from ah_ray.omni.vision import MERGE, ROW, patch_grid

PROMPT_TOKENS = 71
"""Of profile `seed`, the answer's beginning included."""


def tokens_per_clip(
    n_frames: int, height_px: int, width_px: int, seconds: float, n_text: int = PROMPT_TOKENS
) -> int:
    """Length of the clip's sequence."""
    t, h, w = patch_grid((n_frames, height_px, width_px, 3))
    sound = n_audio_tokens(n_mel_frames(round(SAMPLE_RATE_HZ * seconds)))
    return t * h * w // MERGE**2 + sound + n_text


def flops_per_clip(
    config: Qwen3OmniMoeThinkerConfig,
    n_frames: int,
    height_px: int,
    width_px: int,
    seconds: float,
    n_text: int = PROMPT_TOKENS,
) -> float:
    """Operations of one clip in one prefill: text, vision and sound."""
    grid = patch_grid((n_frames, height_px, width_px, 3))
    return (
        text_flops(
            config.text_config, tokens_per_clip(n_frames, height_px, width_px, seconds, n_text)
        )
        + vision_flops(config.vision_config, *grid)
        + audio_flops(config.audio_config, n_mel_frames(round(SAMPLE_RATE_HZ * seconds)))
    )


def text_flops(text, n_tokens: int) -> float:
    """The language model over n tokens; of `lm_head`, no more than a few rows are ever read."""
    queries = text.num_attention_heads * text.head_dim
    keys = text.num_key_value_heads * text.head_dim
    projections = 2 * text.hidden_size * (2 * queries + 2 * keys)
    router = 2 * text.hidden_size * text.num_experts
    experts = text.num_experts_per_tok * 3 * 2 * text.hidden_size * text.moe_intermediate_size
    attention = 4 * queries * n_tokens / 2  # a token sees half of them on average
    return text.num_hidden_layers * n_tokens * (projections + router + experts + attention)


def vision_flops(vision, t: int, h: int, w: int) -> float:
    """The vision tower over a grid of patches; attention stays within one pair of frames."""
    n_patches, width = t * h * w, vision.hidden_size
    products = 2 * (4 * width**2 + 2 * width * vision.intermediate_size)
    attention = 4 * width * h * w
    merged = width * MERGE**2
    merger = 2 * merged * (merged + vision.out_hidden_size)
    n_mergers = 1 + len(vision.deepstack_visual_indexes)
    return (
        n_patches * 2 * ROW * width
        + vision.depth * n_patches * (products + attention)
        + n_patches / MERGE**2 * n_mergers * merger
    )


def audio_flops(audio, n_frames: int) -> float:
    """The audio tower over mel frames: three convolutions a chunk, then a transformer."""
    width, channels = audio.d_model, audio.downsample_hidden_size
    n_tokens, n_chunks = n_audio_tokens(n_frames), -(-n_frames // CHUNK)
    convolutions, bins, frames, inputs = 0.0, audio.num_mel_bins, CHUNK, 1
    for _ in range(3):
        bins, frames = (bins + 1) // 2, (frames + 1) // 2
        convolutions += 2 * 9 * inputs * channels * bins * frames
        inputs = channels
    layer = 2 * (4 * width**2 + 2 * width * audio.encoder_ffn_dim) + 4 * width * n_tokens
    ends = 2 * (channels * bins * width + width**2 + width * audio.output_dim)
    return n_chunks * convolutions + n_tokens * (audio.encoder_layers * layer + ends)
