"""The seeded model is the same everywhere; the packaged one is what training made of it."""

import json

import numpy as np
import pytest
from drawn_clips import draw_clip

from ah_ray.omni.make_tiny import make_tiny
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint


def test_the_same_bytes_come_out_every_time(tiny, tmp_path):
    make_tiny(tmp_path)
    again = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert again == {file.name: file.read_bytes() for file in tiny.iterdir()}


def test_the_packaged_model_was_made_of_it(tiny):
    packaged = find_checkpoint("tiny")
    made = json.loads((packaged / "training.json").read_text())
    assert made["base"] == {"name": "tiny-seeded", "fingerprint": fingerprint(tiny)}
    assert made["best"]["measures"]["accuracy"] >= 0.95
    assert sum(file.stat().st_size for file in packaged.iterdir()) < 4_000_000


@pytest.mark.parametrize(
    ("place", "words"), [("seeded", "not trained"), ("packaged", "knows nothing of people")]
)
def test_cards_say_what_it_is_not(tiny, place, words):
    model = tiny if place == "seeded" else find_checkpoint("tiny")
    assert words in " ".join((model / "MODEL_CARD.md").read_text().split())


def test_clips_differ_visibly(scorer):
    scores = scorer.score([draw_clip(seed) for seed in range(24)])
    p = np.array([score.p_ah for score in scores])
    assert p.std() > 0.1
    assert 0 < (p > 0.5).sum() < len(p)
    assert min(score.answer_mass for score in scores) > 1e-3
