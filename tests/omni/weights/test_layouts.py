"""A model gives the same P in every layout in which it can be saved."""

from pathlib import Path

import pytest
from drawn_clips import draw_clip
from layouts import LAYOUTS
from safetensors.torch import load_file

from ah_ray.config import Arithmetic
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint

CLIPS = [draw_clip(seed) for seed in range(3)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_p(layout, tiny, profile, scorer, tmp_path):
    layout(tiny, tmp_path / "model")
    found = find_checkpoint(str(tmp_path / "model"))
    loaded = OmniScorer.load(found, profile=profile, arithmetic=Arithmetic.FLOAT32, device="cpu")
    assert [s.p_ah for s in loaded.score(CLIPS)] == [s.p_ah for s in scorer.score(CLIPS)]


def test_the_layouts_differ(tiny, tmp_path):
    """Else the test above would show nothing."""
    keys = {}
    for layout in LAYOUTS:
        out: Path = tmp_path / layout.__name__
        layout(tiny, out)
        keys[layout.__name__] = {name for f in out.glob("*.safetensors") for name in load_file(f)}
    assert "thinker.model.layers.0.mlp.experts.3.gate_proj.weight" in keys["of_transformers_4"]
    assert "model.language_model.layers.0.mlp.experts.gate_up_proj" in keys["of_transformers_5"]
    assert "model.layers.0.mlp.experts.3.gate_proj.weight" in keys["thinker_alone"]
    assert any(name.startswith("talker.") for name in keys["with_talker"])
