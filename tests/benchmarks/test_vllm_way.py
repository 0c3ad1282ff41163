"""What vLLM would be given, and what becomes of its answer; vLLM itself is a stand-in."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from random_model import tiny_size
from vllm_way import make_requests, measure_vllm, write_model

from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.weights.checkpoint import load_thinker_config
from ah_ray.profile import load_profile

STAND_IN = """
from types import SimpleNamespace as Found
__version__ = "0"
class SamplingParams:
    def __init__(self, **options):
        assert options["max_tokens"] == 1 and options["logprobs"]
class LLM:
    def __init__(self, model, load_format, enable_prefix_caching, mm_processor_cache_gb, **more):
        assert load_format == "dummy" and not enable_prefix_caching and mm_processor_cache_gb == 0
    def generate(self, requests, sampling, use_tqdm):
        answer = Found(outputs=[Found(logprobs=[{1: -0.5}])], prompt_token_ids=[0] * 7)
        return [answer for _ in requests]
"""


def make_bench() -> SimpleNamespace:
    config, tokenizer = tiny_size()
    setup = SimpleNamespace(profiles={"64²": ("tiny", 64, 64)}, n_clips=8)
    return SimpleNamespace(
        config=config, tokenizer=tokenizer, setup=setup, device=torch.device("cpu")
    )


def test_without_it_the_row_says_so():
    (row,) = measure_vllm(make_bench(), "64²")
    assert row["clips/s"] == "not measured: vLLM is not installed"


def test_its_rate_becomes_a_row(tmp_path, monkeypatch):
    (tmp_path / "vllm.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    (row,) = measure_vllm(make_bench(), "64²")
    assert row["way"] == "vLLM 0, offline" and row["tokens a clip"] == 7 and row["clips/s"] > 0


@pytest.mark.heavy
def test_what_it_dies_of_is_the_error(tmp_path, monkeypatch):
    (tmp_path / "vllm.py").write_text("raise SystemExit('no kernel image for this device')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    with pytest.raises(RuntimeError, match="no kernel image for this device"):
        list(measure_vllm(make_bench(), "64²"))


def test_the_folder_is_a_checkpoint_without_weights(tmp_path):
    bench = make_bench()
    write_model(tmp_path, bench.config, bench.tokenizer)
    assert not list(tmp_path.glob("*.safetensors"))
    found = load_thinker_config(tmp_path)
    assert found["text_config"]["num_experts"] == bench.config.text_config.num_experts
    text = "<|im_start|>user\n<answer>"
    ids = load_tokenizer(tmp_path).encode(text, add_special_tokens=False).ids
    assert ids == bench.tokenizer.encode(text, add_special_tokens=False).ids


def test_each_request_is_a_clip_of_its_own_and_ends_before_the_answer():
    requests = make_requests(load_profile("tiny"), 64, 96, 3)
    first, second = (request["multi_modal_data"] for request in requests[:2])
    assert all(request["prompt"].endswith("<|im_start|>assistant\n<answer") for request in requests)
    assert first["video"].shape == (10, 64, 96, 3) and first["audio"][1] == 16_000
    assert not np.array_equal(first["audio"][0], second["audio"][0])
