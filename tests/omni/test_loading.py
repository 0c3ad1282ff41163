"""What a person is told while a model loads, and what is refused."""

import json
import re
import shutil

import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni import loading
from ah_ray.omni.scorer import Scorer


def load(checkpoint, profile, **more) -> Scorer:
    return Scorer.load(checkpoint, profile=profile, arithmetic=Arithmetic.FLOAT32, **more)


def test_size_time_and_rate_are_said(tiny, profile, monkeypatch):
    monkeypatch.setattr(loading, "_ANNOUNCED_BYTES", 1)
    said = []
    load(tiny, profile, device="cpu", say=said.append)
    assert said[0] == "Loading 0.0 GB of weights onto cpu"
    assert re.fullmatch(r"Loaded in \d+ s, \d+\.\d\d GB/s", said[1])


def test_small_models_load_in_silence(tiny, profile):
    said = []
    load(tiny, profile, device="cpu", say=said.append)
    assert said == []


def test_layers_on_two_devices_give_the_same(tiny, profile, scorer):
    """The same CPU twice: every part finds its place."""
    clips = [draw_clip(seed) for seed in range(3)]
    split = load(tiny, profile, devices=["cpu", "cpu"])
    for found, expected in zip(split.score(clips), scorer.score(clips), strict=True):
        assert found.p_ah == pytest.approx(expected.p_ah, abs=1e-6)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(tiny, profile, monkeypatch):
    monkeypatch.setattr(loading, "_free_bytes", lambda _: 10**6)
    with pytest.raises(ConfigError, match="do not fit in 0 GB of free GPU memory"):
        load(tiny, profile, device="cpu")


def test_other_text_layers_are_refused(tiny, profile, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    config["thinker_config"]["text_config"]["hidden_act"] = "gelu"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"text layers differ .*hidden_act gelu"):
        load(copy, profile, device="cpu")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_layers_on_two_gpus_give_the_same(tiny, profile):
    one, two = (
        Scorer.load(tiny, profile=profile, arithmetic=Arithmetic.BF16, devices=devices)
        for devices in (["cuda:0"], ["cuda:0", "cuda:1"])
    )
    clips = [draw_clip(seed) for seed in range(3)]
    for found, expected in zip(two.score(clips), one.score(clips), strict=True):
        assert found.p_ah == pytest.approx(expected.p_ah, abs=0.01)
