"""In bf16 on a CPU the sound tower's convolutions are made in float32, for sounds of any length."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from drawn_clips import draw_clip
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ah_ray.config import Arithmetic
from ah_ray.omni.model.convolutions import Convolution
from ah_ray.omni.model.loading import load_model
from ah_ray.omni.scorer import OmniScorer

CPU = torch.device("cpu")


class Watched(TorchDispatchMode):
    """Notes the types in which two-dimensional convolutions are computed."""

    def __init__(self):
        super().__init__()
        self.dtypes: list[torch.dtype] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution.default and args[0].ndim == 4:
            self.dtypes.append(args[0].dtype)
        return function(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def tower(tiny):
    model = load_model(tiny, Arithmetic.BF16, [CPU], (), print)
    return model.model.audio_tower


def test_no_narrow_convolution_is_left(tower):
    mel = torch.randn(1, 128, 5)
    with Watched() as watched:
        tower(mel[0], feature_lens=torch.tensor([5]))
    assert watched.dtypes == [torch.float32] * 3
    assert {p.dtype for p in tower.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 8, 10, 11, 99, 100])
def test_they_are_the_float32_sum_rounded_once(tower, n_frames):
    values = torch.randn(3, 1, 128, n_frames).bfloat16()
    convolution = tower.conv2d1
    assert isinstance(convolution, Convolution)
    exact = F.conv2d(
        values.float(), convolution.weight.float(), convolution.bias.float(), stride=2, padding=1
    )
    assert torch.equal(convolution(values), exact.bfloat16())


def test_in_float32_nothing_changes(tower):
    values, wide = torch.randn(2, 1, 128, 7), torch.nn.Conv2d(1, 4, 3, 2, padding=1)
    ours = Convolution(1, 4, 3, 2, padding=1)
    ours.load_state_dict(wide.state_dict())
    assert torch.equal(ours(values), wide(values))


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.05, 0.08, 0.1, 0.2])
def test_very_short_sounds_have_a_score_that_stays(tiny, profile, scorer, seconds):
    narrow = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.BF16, device="cpu")
    clip = draw_clip(1, n_frames=4)
    clip = replace(clip, samples=clip.samples[: int(16_000 * seconds)])
    found = [narrow.score([clip])[0].p_ah for _ in range(5)]
    assert math.isfinite(found[0]) and len(set(found)) == 1
    assert found[0] == pytest.approx(scorer.score([clip])[0].p_ah, abs=0.03)
