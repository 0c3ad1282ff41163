"""A pass at the released widths, on tensors without memory: torch checks every kernel's types,
shapes and strides as a GPU would, and no value is ever computed."""

import pytest
import torch
from drawn_clips import draw_clip
from released import released_config
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.omni import attention
from ah_ray.omni.answer import read_answer
from ah_ray.omni.audio import n_mel_frames
from ah_ray.omni.layout import lay_out_clip, lay_out_pack
from ah_ray.omni.loading import ready
from ah_ray.omni.prompt import build_prompt
from ah_ray.omni.thinker import Thinker
from ah_ray.omni.vision import patch_grid
from ah_ray.profile import load_profile


@pytest.mark.parametrize("arithmetic", [Arithmetic.BF16, Arithmetic.FP8])
def test_a_pass(released_tokenizer, monkeypatch, arithmetic):
    monkeypatch.setattr(attention, "_per_segment", attention._torch)  # the GPU's kernel
    config = released_config()
    config.text_config.num_hidden_layers = 6  # all alike
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration._from_config(
            config, dtype=torch.bfloat16
        )
        thinker = Thinker(ready(model, arithmetic))
    clips = [
        draw_clip(0, height_px=448, width_px=448),
        draw_clip(1, n_frames=4, height_px=640, width_px=1152, seconds=0.6),
    ]
    answer = read_answer(released_tokenizer)
    prompt = build_prompt(load_profile("seed"), released_tokenizer, answer.start)
    layouts = [
        lay_out_clip(prompt, patch_grid(clip.frames.shape), n_mel_frames(len(clip.samples)), 2, 13)
        for clip in clips
    ]
    pack = lay_out_pack(layouts, answer.n_reads, thinker.config)
    staged = thinker.stage([clip.frames for clip in clips], [clip.samples for clip in clips], pack)
    assert staged.rows.device.type == "meta" and staged.rows.dtype == torch.bfloat16
    found = thinker.log_probabilities(staged)
    assert (found.shape, found.dtype) == ((2, 2, 151_936), torch.float32)
