"""Operations per clip, against counts by hand at the released sizes."""

import pytest
import torch
from released import released_config
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.media.resize import shown_size
from ah_ray.omni.flops import (
    count_audio_flops,
    count_clip_flops,
    count_clip_tokens,
    count_layout_flops,
    count_text_flops,
    count_vision_flops,
)
from ah_ray.omni.inputs.forks import PromptTree, join_prompts
from ah_ray.omni.inputs.layout import ClipLayout, lay_out_clip
from ah_ray.omni.inputs.prompt import Prompt, Slot
from ah_ray.profile import load_profile


def test_a_small_clip_by_hand():
    """448², 10 frames, 5 s: 980 + 65 + 71 tokens."""
    assert count_clip_tokens(10, 448, 448, 5.0) == 1116
    layer = 2 * 2048 * (4096 + 512 + 512 + 4096) + 2 * 2048 * 128 + 8 * 3 * 2 * 2048 * 768
    text = 48 * (1116 * layer + 2 * 2 * 1116 * 1116 * 4096 / 2)
    config = released_config()
    assert count_text_flops(config.text_config, 1116) == pytest.approx(text)
    block = 2 * (1152 * 3456 + 1152 * 1152 + 2 * 1152 * 4304)
    vision = 27 * (3920 * block + 5 * 2 * 2 * 784 * 784 * 1152)
    vision += 3920 * 2 * 1536 * 1152 + 980 * 4 * 2 * (4608 * 4608 + 4608 * 2048)
    assert count_vision_flops(config.vision_config, 5, 28, 28) == pytest.approx(vision)
    assert count_clip_flops(config, 10, 448, 448, 5.0) == pytest.approx(10.6e12, rel=0.01)


def test_a_720p_clip():
    """1152×640: attention is a quarter of its arithmetic."""
    assert count_clip_tokens(10, 640, 1152, 5.0) == 3736
    assert count_clip_flops(released_config(), 10, 640, 1152, 5.0) == pytest.approx(44e12, rel=0.01)


def test_a_720p_clip_as_published():
    """1024×576 after both stages: a fifth fewer tokens than 1152×640."""
    width_px, height_px = shown_size(1280, 720, load_profile("seed"))
    assert count_clip_tokens(10, height_px, width_px, 5.0) == 5 * 18 * 32 + 65 + 71
    cost = count_clip_flops(released_config(), 10, height_px, width_px, 5.0)
    assert cost == pytest.approx(33.7e12, rel=0.01)


def ask_questions(n_questions: int, height_px: int, width_px: int) -> ClipLayout:
    """A clip of 10 frames and 5 s, with questions of 45 tokens after 26 that they share."""
    shared = ((0,) * 20, Slot.VIDEO, (0,) * 3, Slot.AUDIO)
    prompts = [Prompt((*shared, (0, 0, 0, *[n] * 45)), 1, 2) for n in range(1, n_questions + 1)]
    tree = PromptTree(join_prompts([(prompt, 2) for prompt in prompts]))
    return lay_out_clip(tree, (5, height_px // 16, width_px // 16), 500, 2.0, 13)


@pytest.mark.parametrize(("height_px", "width_px", "most"), [(448, 448, 1.30), (640, 1152, 1.12)])
def test_ten_questions_cost_little_more_than_one(height_px, width_px, most):
    config = released_config()
    one, ten = (count_layout_flops(config, ask_questions(n, height_px, width_px)) for n in (1, 10))
    assert one == pytest.approx(count_clip_flops(config, 10, height_px, width_px, 5.0))
    assert 1.05 < ten / one < most


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
    assert counter.get_total_flops() == pytest.approx(count_audio_flops(config.audio_config, 500))
