"""A clip lies in training as it lies in scoring, for every kind of times in the profile."""

from dataclasses import replace

import numpy as np
import pytest
from labelled_clips import label_drawing

from ah_ray.config import Arithmetic
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import YES
from ah_ray.training.data.questions import Questions


@pytest.mark.parametrize(
    "times",
    [
        {"second_per_grid": 2.0},
        {"second_per_grid": "sampled"},
        {"second_per_grid": "sampled", "floor_positions": True},
    ],
)
@pytest.mark.parametrize("seconds", [5.0, 3.68, 2.4])
def test_positions_of_training_are_those_of_scoring(tiny, profile, times, seconds):
    profile = profile.model_copy(update=times)
    clip = label_drawing(0, True, seconds=seconds, n_frames=6).clip
    clip = replace(clip, sampled_s=seconds + 0.005)
    scorer = OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    questions = Questions(profile, load_tokenizer(tiny), 13)
    scored = scorer._prepare(clip).layout
    taught = questions.lay_out(clip, None, questions.spell(questions.first, YES))
    shared = min(scored.n_tokens, taught.n_tokens)
    assert np.array_equal(scored.positions[:, :shared], taught.positions[:, :shared])
    step = np.diff(scored.positions[0, scored.video]).max()
    expected = 13 * (2 * (seconds + 0.005) / 6 if times["second_per_grid"] == "sampled" else 2)
    assert step == pytest.approx(expected, abs=1 if "floor_positions" in times else 1e-3)
