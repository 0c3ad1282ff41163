"""The protocol of a model, fulfilled by the real scorer and by the fake that other tests use."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ah_ray
from ah_ray import Clip, Scorer
from ah_ray.config import Arithmetic
from ah_ray.errors import ErrorKind
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile
from tests.fake_scorer import FakeScorer


@pytest.fixture(scope="module", params=["omni", "fake"])
def scorer(request) -> Scorer:
    if request.param == "fake":
        return FakeScorer()
    checkpoint = find_checkpoint("tiny")
    assert isinstance(checkpoint, Path)
    return OmniScorer.load(
        checkpoint, profile=load_profile("tiny"), arithmetic=Arithmetic.FLOAT32, device="cpu"
    )


def clip(index: int, *, n_frames: int = 4) -> Clip:
    random = np.random.default_rng(index)
    return Clip(
        clip_index=index,
        start_s=5.0 * index,
        end_s=5.0 * index + 5,
        frames=random.integers(0, 256, (n_frames, 64, 64, 3), dtype=np.uint8),
        samples=random.standard_normal(16_000).astype(np.float32),
    )


def test_a_scorer_fulfils_the_protocol(scorer):
    assert isinstance(scorer, Scorer)


def test_scores_are_probabilities_in_the_order_of_the_clips(scorer):
    clips = [clip(index) for index in (7, 2, 5)]
    scores = scorer.score(clips)
    assert [score.clip_index for score in scores] == [7, 2, 5]
    assert [score.start_s for score in scores] == [35.0, 10.0, 25.0]
    assert [score.end_s for score in scores] == [40.0, 15.0, 30.0]
    assert all(score.p_ah is not None and 0 <= score.p_ah <= 1 for score in scores)
    assert scorer.score([]) == []


def test_a_clip_that_cannot_be_scored_costs_no_other_clip_its_score(scorer):
    good = scorer.score([clip(0), clip(2)])
    scores = scorer.score([clip(0), clip(1, n_frames=0), clip(2)])
    assert [score.error_kind for score in scores] == [None, ErrorKind.SCORING, None]
    assert scores[1].p_ah is None
    assert scores[1].error
    assert [scores[0].p_ah, scores[2].p_ah] == pytest.approx([s.p_ah for s in good], abs=1e-5)


def test_a_scorer_without_the_method_is_none():
    assert not isinstance(object(), Scorer)


def test_the_package_exports_the_protocol_without_importing_torch():
    program = (
        "import sys, ah_ray\n"
        "assert not {'numpy', 'pyarrow', 'torch'} & sys.modules.keys()\n"
        "from ah_ray import Clip, ClipScore, Scorer\n"
        "assert not {'torch', 'ray', 'transformers'} & sys.modules.keys()\n"
        "print(Scorer.score.__doc__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "in the order of the clips" in done.stdout
    with pytest.raises(AttributeError, match="no attribute 'Model'"):
        _ = ah_ray.Model
