"""Count the floating point operations of one clip from the model's config.

A multiplication and its addition count as two. Matrix products, convolutions and attention are
counted (causal attention as the half that is needed); norms, activations and softmax are left out,
as is usual. The whole model is counted. Our pass computes the last layer only for the positions of
the answer, which saves about 1%; a share of the roofline is too high by that much.
"""

from __future__ import annotations

from transformers import Qwen3OmniMoeThinkerConfig
from transformers.models.qwen3_omni_moe.configuration_qwen3_omni_moe import (
    Qwen3OmniMoeAudioEncoderConfig,
    Qwen3OmniMoeTextConfig,
    Qwen3OmniMoeVisionEncoderConfig,
)

from ah_ray.omni.inputs.audio import CHUNK, SAMPLE_RATE_HZ, count_audio_tokens, count_mel_frames
from ah_ray.omni.inputs.config_parts import get_audio_config, get_text_config, get_vision_config
from ah_ray.omni.inputs.layout import ClipLayout
from ah_ray.omni.inputs.vision import MERGE, ROW, compute_patch_grid

PROMPT_TOKENS = 71
"""Text tokens of the profile `seed`, including the beginning of the answer."""


def count_clip_tokens(
    n_frames: int, height_px: int, width_px: int, seconds: float, n_text: int = PROMPT_TOKENS
) -> int:
    """Return the length of a clip's sequence in tokens."""
    t, h, w = compute_patch_grid((n_frames, height_px, width_px, 3))
    sound = count_audio_tokens(count_mel_frames(round(SAMPLE_RATE_HZ * seconds)))
    return t * h * w // MERGE**2 + sound + n_text


def count_clip_flops(
    config: Qwen3OmniMoeThinkerConfig,
    n_frames: int,
    height_px: int,
    width_px: int,
    seconds: float,
    n_text: int = PROMPT_TOKENS,
) -> float:
    """Return the operations of one clip in one prefill: text, vision and sound."""
    grid = compute_patch_grid((n_frames, height_px, width_px, 3))
    return (
        count_text_flops(
            get_text_config(config),
            count_clip_tokens(n_frames, height_px, width_px, seconds, n_text),
        )
        + count_vision_flops(get_vision_config(config), *grid)
        + count_audio_flops(
            get_audio_config(config), count_mel_frames(round(SAMPLE_RATE_HZ * seconds))
        )
    )


def count_layout_flops(config: Qwen3OmniMoeThinkerConfig, layout: ClipLayout) -> float:
    """Return the operations of one clip with all that it is asked: text, vision and sound.

    A fork costs its own tokens, and their attention to what it shares.
    """
    text = get_text_config(config)
    lines = zip(layout.lengths, layout.keys, strict=True)
    return (
        sum(count_text_flops(text, n_own, len(keys) - n_own) for n_own, keys in lines)
        + count_vision_flops(get_vision_config(config), *layout.grid)
        + count_audio_flops(get_audio_config(config), layout.n_mel_frames)
    )


def count_text_flops(text: Qwen3OmniMoeTextConfig, n_tokens: int, n_before: int = 0) -> float:
    """Return the operations of the language model over n tokens, without `lm_head`.

    `n_before` tokens before them are attended to, but not computed here. `lm_head` is applied to a
    few positions only, so it is left out.
    """
    queries = text.num_attention_heads * text.head_dim
    keys = text.num_key_value_heads * text.head_dim
    projections = 2 * text.hidden_size * (2 * queries + 2 * keys)
    router = 2 * text.hidden_size * text.num_experts
    experts = text.num_experts_per_tok * 3 * 2 * text.hidden_size * text.moe_intermediate_size
    attention = 4 * queries * (n_before + n_tokens / 2)  # a token sees half of its own on average
    layer: float = n_tokens * (projections + router + experts + attention)
    return text.num_hidden_layers * layer


def count_vision_flops(vision: Qwen3OmniMoeVisionEncoderConfig, t: int, h: int, w: int) -> float:
    """Return the operations of the vision tower over a grid of patches.

    Attention stays within one pair of frames.
    """
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


def count_audio_flops(audio: Qwen3OmniMoeAudioEncoderConfig, n_frames: int) -> float:
    """Return the operations of the audio tower: three convolutions a chunk, then a transformer."""
    width, channels = audio.d_model, audio.downsample_hidden_size
    n_tokens, n_chunks = count_audio_tokens(n_frames), -(-n_frames // CHUNK)
    convolutions, bins, frames, inputs = 0.0, audio.num_mel_bins, CHUNK, 1
    for _ in range(3):
        bins, frames = (bins + 1) // 2, (frames + 1) // 2
        convolutions += 2 * 9 * inputs * channels * bins * frames
        inputs = channels
    layer = 2 * (4 * width**2 + 2 * width * audio.encoder_ffn_dim) + 4 * width * n_tokens
    ends = 2 * (channels * bins * width + width**2 + width * audio.output_dim)
    return n_chunks * convolutions + n_tokens * (audio.encoder_layers * layer + ends)
