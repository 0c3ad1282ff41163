"""What only a GPU can show: its kernels against the same arithmetic on a CPU."""

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip
from random_experts import Experts, draw
from torch import nn

from ah_ray.config import Arithmetic
from ah_ray.omni.model.fp8 import Fp8Experts, Fp8Linear
from ah_ray.omni.scorer import OmniScorer

pytestmark = pytest.mark.gpu
HOPPER = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (9, 0)
CLIPS = [draw_clip(seed) for seed in range(6)] + [draw_clip(7, n_frames=4, seconds=0.6)]


def load(tiny, profile, arithmetic, device="cuda") -> OmniScorer:
    return OmniScorer.load(tiny, profile=profile, arithmetic=arithmetic, device=device)


def p_of(scorer: OmniScorer, clips) -> np.ndarray:
    return np.array([score.p_ah for score in scorer.score(clips)])


def test_float32_is_that_of_the_cpu(tiny, profile, scorer):
    found = p_of(load(tiny, profile, Arithmetic.FLOAT32), CLIPS)
    assert np.abs(found - p_of(scorer, CLIPS)).max() < 1e-3


def test_bf16_is_near_and_does_not_depend_on_the_pack(tiny, profile, scorer):
    on_gpu = load(tiny, profile, Arithmetic.BF16)
    packed = p_of(on_gpu, CLIPS)
    assert np.abs(packed - p_of(scorer, CLIPS)).mean() < 0.05
    alone = np.concatenate([p_of(on_gpu, [clip]) for clip in CLIPS])
    assert np.abs(packed - alone).max() < 0.02


def test_a_budget_is_found_and_time_is_counted(tiny, profile):
    on_gpu = load(tiny, profile, Arithmetic.BF16)
    assert on_gpu.token_budget >= 10_000
    score = on_gpu.score(CLIPS[:1])[0]
    assert 0 < score.score_s == pytest.approx(on_gpu.busy_s)


@pytest.mark.skipif(not HOPPER, reason="needs fp8 products")
def test_fp8_products():
    linear = Fp8Linear(nn.Linear(64, 48, bias=False, dtype=torch.bfloat16))
    x = draw(30, 64)
    expected = linear(x)
    assert torch.allclose(linear.cuda()(x.cuda()).cpu(), expected, rtol=0.05, atol=0.02)
    experts = Fp8Experts(Experts(4, 32, 16))
    x, token = draw(6, 32), torch.tensor([0, 3, 5, 1, 2, 4, 0, 5])
    ends = torch.tensor([3, 5, 5, 8], dtype=torch.int32)
    expected = experts(x, token, ends).float()
    found = experts.cuda()(x.cuda(), token.cuda(), ends.cuda()).cpu().float()
    assert (found - expected).norm() / expected.norm() < 0.05
