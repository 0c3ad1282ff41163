"""The embedding of a clip is what transformers' own forward has at the answer; no score moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.config import Arithmetic
from ah_ray.omni.embedding import to_bytes
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import load_profile

SHAPES = [{}, {"seconds": 3.2}, {"n_frames": 4, "seconds": 0.6}, {"height_px": 96}]


@pytest.fixture(scope="module")
def clips():
    return [draw_clip(seed, **shape) for seed, shape in enumerate(SHAPES)]


def load(tiny, profile: str, *, keep: bool, token_budget: int = 4096) -> OmniScorer:
    return OmniScorer.load(
        tiny,
        profile=load_profile(profile),
        arithmetic=Arithmetic.FLOAT32,
        device="cpu",
        token_budget=token_budget,
        keep_embeddings=keep,
    )


def numbers(score) -> np.ndarray:
    return np.frombuffer(score.embedding, "<f2").astype(np.float64)


@pytest.fixture(scope="module")
def expected(clips, reference) -> np.ndarray:
    """What `lm_head` reads in front of `>` or `>No`, where Yes and No part: [clips, D]."""
    read = []
    hook = reference.model.lm_head.register_forward_pre_hook(
        lambda _, inputs: read.append(inputs[0][0, -2].double())
    )
    try:
        for clip in clips:
            with torch.inference_mode():
                reference.model(**reference.inputs(clip, "<answer>"))
    finally:
        hook.remove()
    return torch.stack(read).numpy()


@pytest.mark.parametrize("asked", ["tiny", "tiny-why"])
@pytest.mark.parametrize("token_budget", [1, 4096])
def test_it_is_the_hidden_state_at_the_answer(tiny, clips, expected, asked, token_budget):
    """Of the first question, also in a pack, where the reads of several questions lie apart."""
    scores = load(tiny, asked, keep=True, token_budget=token_budget).score(clips)
    found = np.stack([numbers(score) for score in scores])
    assert found.shape == expected.shape
    apart = np.abs(expected[0] - expected[1]).max()
    assert apart > 0.1, "the clips must differ for this to show anything"
    assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("asked", ["tiny", "tiny-why"])
def test_no_score_moves_by_a_bit(tiny, clips, asked):
    plain = load(tiny, asked, keep=False).score(clips)
    kept = load(tiny, asked, keep=True).score(clips)
    assert all(score.embedding is None for score in plain)
    same = [replace(score, embedding=None, score_s=0.0) for score in kept]
    assert same == [replace(score, score_s=0.0) for score in plain]


def test_what_float16_does_not_reach_stays_finite():
    (found,) = to_bytes(torch.tensor([[1e6, -1e6, 0.5]]))
    assert np.frombuffer(found, "<f2").tolist() == [65504, -65504, 0.5]
