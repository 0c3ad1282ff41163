"""The phases of `gpu.py`, all on one model in memory. fp8 is last: it replaces the weights."""

from __future__ import annotations

import copy
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_kernels import compare_kernels, measure_ceilings, measure_experts, profile_kernels
from gpu_record import Phase, Row
from random_model import make_clips, make_model
from roofline import roofline
from safetensors import safe_open
from safetensors.torch import save_file
from scorer import Setup, measured, score_all, ways_of
from train import measured as measured_steps
from train import our_step, peer_step
from transformers_ways import TransformersWays
from vllm_way import measure_vllm

from ah_ray.config import FP8_KINDS, Arithmetic
from ah_ray.omni.flops import count_clip_flops
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.capability import check_device
from ah_ray.omni.model.experts import RunExperts, choose_experts, run_by_torch
from ah_ray.omni.model.loading import prepare_model
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import load_profile
from ah_ray.training.settings import train_settings
from ah_ray.verdicts.difference import measure_difference

PREDICTED_FP8 = {
    Arithmetic.FP8: "about 42 clips/s on an H200",
    Arithmetic.FP8_VISION: "about 64 clips/s on an H200",
}


@dataclass(slots=True, kw_only=True)
class Bench:
    """What all phases share: one model, its device, and how much of everything is measured."""

    model: Any
    config: Any
    tokenizer: Any
    setup: Setup
    n_compared: int  # clips against transformers' own forward
    n_packs: int  # packs that one clip is in
    n_train: int  # clips of a training step
    file_bytes: int  # written and read, for the rate of the disk
    run_experts: RunExperts = run_by_torch
    plain_scores: list[float | None] | None = None  # before the weights were quantised

    @property
    def sizes(self) -> list[str]:
        return list(self.setup.profiles)

    @property
    def device(self) -> torch.device:
        return self.setup.device

    def make_scorer(self, size: str, budget: int | None = None) -> OmniScorer:
        profile = load_profile(self.setup.profiles[size][0])
        thinker = Thinker(self.model, self.run_experts)
        return OmniScorer.from_thinker(thinker, self.tokenizer, profile, budget)

    def choose_experts(self) -> None:
        """Choose how experts are computed, as loading a model does: on a CPU by torch."""
        self.run_experts = choose_experts(self.model, print)

    def make_clips(self, size: str, n: int) -> list:
        return make_clips(n, *self.setup.profiles[size][1:])

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def list_phases(bench: Bench) -> list[Phase]:
    """Return all phases, in the order of their value."""
    first, second = bench.sizes
    return [
        Phase(name="ceilings", run=lambda: measure_ceilings(bench)),
        Phase(
            name="experts",
            run=lambda: measure_experts(bench),
            predicted="ours 12 to 18% of a pass faster than torch's way; a layer of 16,384 tokens "
            "takes at least 1.6 ms at 790 TFLOP/s",
        ),
        Phase(name="kernels against their twins", run=lambda: compare_kernels(bench)),
        Phase(name="against transformers", run=lambda: compare_forward(bench)),
        Phase(name="one clip in many packs", run=lambda: compare_packs(bench)),
        Phase(
            name=f"scoring at {first}",
            run=lambda: measure_ways(bench, first),
            predicted="31 to 40 clips/s in bf16 on an H200, 42 to 53% of its 790 TFLOP/s",
        ),
        Phase(name="vLLM", run=lambda: measure_vllm(bench, first)),
        Phase(name="time by kernel", run=lambda: profile_kernels(bench, first)),
        Phase(name=f"scoring at {second}", run=lambda: measure_ways(bench, second)),
        Phase(name="as the pipeline feeds it", run=lambda: measure_feeding(bench, first)),
        Phase(name="a LoRA step", run=lambda: measure_step(bench)),
        Phase(name="loading", run=lambda: measure_loading(bench)),
        *(
            Phase(
                name=str(arithmetic),
                run=lambda arithmetic=arithmetic: measure_fp8(bench, first, arithmetic),
                predicted=PREDICTED_FP8.get(arithmetic, ""),
            )
            for arithmetic in FP8_KINDS
        ),
    ]


def compare_forward(bench: Bench) -> Iterator[Row]:
    """P(A/H) of ours against transformers' own forward, clip by clip, on the same weights."""
    size = bench.sizes[0]
    yield _compare_models(bench, size, bench.model, bench.n_compared, str(bench.setup.plain))
    config = copy.deepcopy(bench.config)
    config.text_config.num_hidden_layers = min(4, config.text_config.num_hidden_layers)
    small = make_model(config, bench.tokenizer, torch.float32, bench.device)
    prepare_model(small, Arithmetic.FLOAT32)
    yield _compare_models(bench, size, small, bench.n_compared // 2, "float32, 4 layers at most")


def _compare_models(bench: Bench, size: str, model: Any, n: int, name: str) -> Row:
    profile = load_profile(bench.setup.profiles[size][0])
    clips = bench.make_clips(size, n)
    scorer = OmniScorer.from_thinker(Thinker(model), bench.tokenizer, profile, 16_384)
    ours = score_all(scorer, clips)
    ways = TransformersWays(model, bench.tokenizer, profile)
    ways.set_attention("sdpa")
    theirs = ways.batched(clips, 1)
    ways.set_attention(PACKED)
    apart = measure_difference(ours, theirs)
    assert apart is not None  # every clip has a score
    return {
        "arithmetic": name, "clips": n, "mean ΔP": apart.mean, "max ΔP": apart.max,
        "answers changed": round(apart.answers_changed * apart.n_clips),
    }  # fmt: skip


def compare_packs(bench: Bench) -> Iterator[Row]:
    """The same clip among other clips: its score must not move by more than rounding."""
    size = bench.sizes[0]
    clips = bench.make_clips(size, bench.n_packs)
    scorer = bench.make_scorer(size, 32_768)
    alone = scorer.score(clips[:1])[0].p_ah
    packed = [
        scorer.score([*clips[1 : n + 1], clips[0], *clips[n + 1 :]])[n].p_ah
        for n in range(bench.n_packs)
    ]
    apart = np.abs(np.array(packed) - alone)
    yield {"packs": len(packed), "P alone": alone, "max ΔP": float(apart.max())}


def measure_ways(bench: Bench, size: str) -> Iterator[Row]:
    """Clips per second of each way; every way runs once to warm up, and then once."""
    _, height_px, width_px = bench.setup.profiles[size]
    flops = count_clip_flops(bench.config, 10, height_px, width_px, 5.0)
    peak = roofline(bench.setup.plain, bench.device)
    ways = ways_of(bench.setup, size, bench.model, bench.tokenizer, bench.run_experts, theirs=True)
    for name, run, n_clips, scorer in ways:
        run()
        found = measured(run, n_clips, bench.device, scorer)
        yield {
            "way": name, "clips/s": found.clips_per_s, "TFLOP/s": found.clips_per_s * flops / 1e12,
            "of the product": f"{found.clips_per_s * flops / peak:.0%}",
            "busy": "–" if found.busy is None else f"{found.busy:.0%}",
            "peak GB": found.peak_bytes / 1e9,
        }  # fmt: skip


def measure_step(bench: Bench) -> Iterator[Row]:
    """A LoRA step of ours and of transformers in padded batches, on the same clips."""
    size = bench.sizes[0]
    profile, clips = (
        load_profile(bench.setup.profiles[size][0]),
        bench.make_clips(size, bench.n_train),
    )
    settings = train_settings(labels="-", model="-", out="-", method="lora", lora_dropout=0)
    ours, tokens = our_step(bench.model, settings, bench.tokenizer, profile, clips, bench.device)
    ways = {
        "ours": ours,
        "transformers": peer_step(bench.model, bench.tokenizer, profile, clips, 2),
    }
    try:
        for name, (seconds, memory) in measured_steps(ways, bench.device, 1).items():
            yield {
                "step": name, "clips/s": len(clips) / seconds, "tokens/s": tokens / seconds,
                "peak memory": memory,
            }  # fmt: skip
    finally:
        _forget_training(bench.model)


def _forget_training(model: Any) -> None:
    """Leave a model as it was before a step: no LoRA layers, and no hooks that keep routers."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if hasattr(child, "base_layer"):
                setattr(module, name, child.base_layer)
    for layer in model.model.language_model.layers:
        layer.mlp.gate._forward_hooks.clear()
    model.eval().requires_grad_(False)
    prepare_model(model, Arithmetic.FLOAT32)  # packed attention again, weights as they are


def measure_loading(bench: Bench) -> Iterator[Row]:
    """The rate from a file that is not in memory onto the device, tensor by tensor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        one = torch.zeros(max(1, bench.file_bytes // 8), dtype=torch.uint8)
        save_file({str(n): one.clone() for n in range(8)}, path)
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
        began = time.perf_counter()
        with safe_open(path, framework="pt", device=str(bench.device)) as file:
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                file.get_tensor(name)
        bench.wait()
        seconds = time.perf_counter() - began
        yield {"file GB": path.stat().st_size / 1e9, "GB/s": path.stat().st_size / 1e9 / seconds}


def measure_feeding(bench: Bench, size: str) -> Iterator[Row]:
    """Clips as two threads of a replica bring them, 64 a call, with the budget that is found."""
    scorer = bench.make_scorer(size)
    clips = bench.make_clips(size, bench.setup.n_clips)
    score_all(scorer, clips[: len(clips) // 4])
    n_passes, n_tokens = scorer.n_passes, scorer.n_tokens
    found = measured(lambda: score_all(scorer, clips), len(clips), bench.device, scorer)
    yield {
        "clips/s": found.clips_per_s, "busy": f"{found.busy or 0:.0%}",
        "budget": scorer.token_budget,
        "tokens a pass": (scorer.n_tokens - n_tokens) / (scorer.n_passes - n_passes),
    }  # fmt: skip


def measure_fp8(bench: Bench, size: str, arithmetic: Arithmetic) -> Iterator[Row]:
    """The rate with these products in fp8, and what that changes in P.

    From here on the model's weights are in fp8. The kinds come in the order of `FP8_KINDS`, so each
    finds the products of the one before it already quantised.
    """
    check_device(arithmetic, bench.device)
    clips = bench.make_clips(size, bench.n_compared)
    if bench.plain_scores is None:
        bench.plain_scores = score_all(bench.make_scorer(size), clips)
    bench.model.to(torch.bfloat16)
    prepare_model(bench.model, arithmetic)
    bench.choose_experts()
    scorer = bench.make_scorer(size)
    apart = measure_difference(score_all(scorer, clips), bench.plain_scores)
    assert apart is not None  # every clip has a score
    many = bench.make_clips(size, bench.setup.n_clips)
    found = measured(lambda: score_all(scorer, many), len(many), bench.device, scorer)
    yield {
        "arithmetic": str(arithmetic), "clips/s": found.clips_per_s,
        "busy": f"{found.busy or 0:.0%}", "mean ΔP": apart.mean, "max ΔP": apart.max,
        "answers changed": f"{apart.answers_changed:.1%} of {apart.n_clips}",
    }  # fmt: skip
