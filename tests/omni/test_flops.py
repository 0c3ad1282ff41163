"""Operations per clip, against counts by hand at the released sizes."""

import pytest
import torch
from released import released_config
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.omni.flops import audio_flops, flops_per_clip, text_flops, tokens_per_clip, vision_flops


def test_a_small_clip_by_hand():
    """448², 10 frames, 5 s: 980 + 65 + 71 tokens."""
    assert tokens_per_clip(10, 448, 448, 5.0) == 1116
    layer = 2 * 2048 * (4096 + 512 + 512 + 4096) + 2 * 2048 * 128 + 8 * 3 * 2 * 2048 * 768
    text = 48 * (1116 * layer + 2 * 2 * 1116 * 1116 * 4096 / 2)
    config = released_config()
    assert text_flops(config.text_config, 1116) == pytest.approx(text)
    block = 2 * (1152 * 3456 + 1152 * 1152 + 2 * 1152 * 4304)
    vision = 27 * (3920 * block + 5 * 2 * 2 * 784 * 784 * 1152)
    vision += 3920 * 2 * 1536 * 1152 + 980 * 4 * 2 * (4608 * 4608 + 4608 * 2048)
    assert vision_flops(config.vision_config, 5, 28, 28) == pytest.approx(vision)
    assert flops_per_clip(config, 10, 448, 448, 5.0) == pytest.approx(10.6e12, rel=0.01)


def test_a_720p_clip():
    """1152×640, of which attention is a quarter."""
    assert tokens_per_clip(10, 640, 1152, 5.0) == 3736
    assert flops_per_clip(released_config(), 10, 640, 1152, 5.0) == pytest.approx(44e12, rel=0.01)


def test_the_towers_as_torch_counts_them():
    """At full size, on a model without memory; torch counts all but our segments' attention."""
    config = released_config()
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration._from_config(
            config, attn_implementation="eager"
        )
        chunks = torch.empty(5, 128, 100)
        with FlopCounterMode(display=False) as counter:
            model.model.audio_tower(
                padded_feature=chunks,
                chunk_lengths=torch.empty(5, dtype=torch.long),
                valid_indices=torch.empty(65, dtype=torch.long),
                cu_seqlens=torch.tensor([0, 65], dtype=torch.int32, device="cpu"),
                max_seqlen=65,
            )
    assert counter.get_total_flops() == pytest.approx(audio_flops(config.audio_config, 500))
