"""The packaged checkpoint is what the script makes, and behaves as a demonstration should."""

import numpy as np
from drawn_clips import draw_clip

from ah_ray.omni.make_tiny import make_tiny


def test_the_packaged_bytes_are_what_the_script_makes(tiny, tmp_path):
    make_tiny(tmp_path)
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    packaged = {file.name: file.read_bytes() for file in tiny.iterdir()}
    assert made == packaged


def test_it_says_that_it_is_not_trained(tiny):
    assert "not trained" in (tiny / "MODEL_CARD.md").read_text()


def test_clips_differ_visibly(scorer):
    scores = scorer.score([draw_clip(seed) for seed in range(24)])
    p = np.array([score.p_ah for score in scores])
    assert p.std() > 0.1
    assert 0 < (p > 0.5).sum() < len(p)
    assert min(score.answer_mass for score in scores) > 1e-3
