"""The demonstration's model on any GPU, as `python jobs/score.py --demo --device gpu` loads it."""

import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer

CLIPS = [draw_clip(seed) for seed in range(4)]


@pytest.mark.gpu
def test_any_gpu_scores_as_a_cpu_does(tiny, profile, scorer):
    """Also one without bf16, which older than compute capability 8.0 are."""
    newer = torch.cuda.get_device_capability() >= (8, 0)
    arithmetic = Arithmetic.BF16 if newer else Arithmetic.FLOAT32
    on_gpu = OmniScorer.load(tiny, profile=profile, arithmetic=arithmetic, device="cuda")
    found, expected = ([score.p_ah for score in each.score(CLIPS)] for each in (on_gpu, scorer))
    assert found == pytest.approx(expected, abs=0.1)
