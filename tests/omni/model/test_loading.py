"""What a user sees while a model loads, and what is refused."""

import json
import re
import shutil

import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.model import loading
from ah_ray.omni.model.capability import check_device
from ah_ray.omni.scorer import OmniScorer


def load(checkpoint, profile, **more) -> OmniScorer:
    return OmniScorer.load(checkpoint, profile=profile, arithmetic=Arithmetic.FLOAT32, **more)


def test_size_time_and_rate_are_said(tiny, profile, monkeypatch):
    monkeypatch.setattr(loading, "_ANNOUNCED_BYTES", 1)
    said = []
    load(tiny, profile, device="cpu", on_message=said.append)
    assert said[0] == "Loading 0.0 GB of weights onto cpu"
    assert re.fullmatch(r"Loaded in \d+ s, \d+\.\d\d GB/s", said[1])


def test_small_models_load_in_silence(tiny, profile):
    said = []
    load(tiny, profile, device="cpu", on_message=said.append)
    assert said == []


def test_layers_on_two_devices_give_the_same(tiny, profile, scorer):
    """The same CPU twice: every part finds its place."""
    clips = [draw_clip(seed) for seed in range(3)]
    split = load(tiny, profile, devices=["cpu", "cpu"])
    for found, expected in zip(split.score(clips), scorer.score(clips), strict=True):
        assert found.p_ah == pytest.approx(expected.p_ah, abs=1e-6)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(tiny, profile, monkeypatch):
    monkeypatch.setattr(loading, "_measure_free_bytes", lambda _: 10**6)
    with pytest.raises(ConfigError, match="do not fit in 0 GB of free GPU memory"):
        load(tiny, profile, device="cpu")


def test_other_text_layers_are_refused(tiny, profile, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "model")
    config = json.loads((copy / "config.json").read_text())
    config["thinker_config"]["text_config"]["hidden_act"] = "gelu"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"text layers differ .*hidden_act gelu"):
        load(copy, profile, device="cpu")


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_layers_on_two_gpus_give_the_same(tiny, profile):
    one, two = (
        OmniScorer.load(tiny, profile=profile, arithmetic=Arithmetic.BF16, devices=devices)
        for devices in (["cuda:0"], ["cuda:0", "cuda:1"])
    )
    clips = [draw_clip(seed) for seed in range(3)]
    for found, expected in zip(two.score(clips), one.score(clips), strict=True):
        assert found.p_ah == pytest.approx(expected.p_ah, abs=0.01)


def test_bf16_on_an_older_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "T4")
    with pytest.raises(
        ConfigError, match=r"8.0 or newer, and this one \(T4\) has 7.5; use float32"
    ):
        check_device(Arithmetic.BF16, torch.device("cuda"))
