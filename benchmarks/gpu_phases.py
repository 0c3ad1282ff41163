"""The phases of `gpu.py`, all on one model in memory. fp8 is last: it replaces the weights."""

from __future__ import annotations

import copy
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_record import Phase, Row
from random_model import make_clips, make_model
from roofline import roofline
from safetensors import safe_open
from safetensors.torch import save_file
from scorer import Setup, measured, print_kernels, score_all, ways_of
from torch.nn import functional as F
from train import measured as measured_steps
from train import our_step, peer_step
from transformers_ways import TransformersWays

from ah_ray.config import Arithmetic
from ah_ray.omni.flops import count_clip_flops
from ah_ray.omni.model import fused_ops
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.capability import can_compute, check_device
from ah_ray.omni.model.loading import prepare_model
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import load_profile
from ah_ray.training.settings import train_settings
from ah_ray.verdicts.difference import measure_difference

EPS = 1e-6


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

    @property
    def sizes(self) -> list[str]:
        return list(self.setup.profiles)

    @property
    def device(self) -> torch.device:
        return self.setup.device

    def make_scorer(self, size: str, budget: int | None = None) -> OmniScorer:
        profile = load_profile(self.setup.profiles[size][0])
        return OmniScorer.from_thinker(Thinker(self.model), self.tokenizer, profile, budget)

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
        Phase(name="kernels against their twins", run=lambda: compare_kernels(bench)),
        Phase(name="against transformers", run=lambda: compare_forward(bench)),
        Phase(name="one clip in many packs", run=lambda: compare_packs(bench)),
        Phase(
            name=f"scoring at {first}",
            run=lambda: measure_ways(bench, first),
            predicted="31 to 40 clips/s in bf16 on an H200, 42 to 53% of its 790 TFLOP/s",
        ),
        Phase(name="time by kernel", run=lambda: profile_kernels(bench, first)),
        Phase(name=f"scoring at {second}", run=lambda: measure_ways(bench, second)),
        Phase(name="as the pipeline feeds it", run=lambda: measure_feeding(bench, first)),
        Phase(name="a LoRA step", run=lambda: measure_step(bench)),
        Phase(name="loading", run=lambda: measure_loading(bench)),
        Phase(
            name="fp8",
            run=lambda: measure_fp8(bench, first),
            predicted="about 42 clips/s on an H200",
        ),
    ]


def measure_rate(bench: Bench, run: Callable[[], object], amount: float) -> float:
    """Return how much of something a second brings: the median of five calls, after one."""
    run()
    times = []
    for _ in range(5):
        bench.wait()
        began = time.perf_counter()
        run()
        bench.wait()
        times.append(time.perf_counter() - began)
    return amount / float(np.median(times))


def measure_ceilings(bench: Bench) -> Iterator[Row]:
    """What the card itself can do: copies, large products, and products grouped by expert."""
    n_bytes = 1 << (32 if bench.device.type == "cuda" else 26)
    pair = [torch.empty(n_bytes, dtype=torch.uint8, device=bench.device) for _ in range(2)]
    rate = measure_rate(bench, lambda: pair[0].copy_(pair[1]), 2 * n_bytes)
    pair.clear()
    yield {"ceiling": "copy, read and written", "rate": rate / 1e12, "unit": "TB/s"}
    kinds = [bench.setup.plain]
    if bench.device.type == "cuda" and can_compute(Arithmetic.FP8, bench.device):
        kinds.append(Arithmetic.FP8)
    for arithmetic in kinds:
        peak = roofline(arithmetic, bench.device)
        yield {"ceiling": f"product, {arithmetic}", "rate": peak / 1e12, "unit": "TFLOP/s"}
    text = bench.config.text_config
    n_tokens = 16_384 if bench.device.type == "cuda" else 64
    n_rows, n_experts = n_tokens * text.num_experts_per_tok, text.num_experts
    weights = bench.model.model.language_model.layers[-1].mlp.experts.gate_up_proj
    rows = torch.randn(n_rows, text.hidden_size, device=bench.device).to(weights.dtype)
    for name, share in (("balanced", 1.0), ("half of the rows in a sixteenth", 0.5)):
        counts = np.full(n_experts, share * n_rows / n_experts)
        few = max(1, n_experts // 16)
        counts[:few] += (1 - share) * n_rows / few
        ends = torch.tensor(counts.cumsum().round(), dtype=torch.int32, device=bench.device)
        rate = measure_rate(
            bench,
            lambda ends=ends: F.grouped_mm(rows, weights.mT, offs=ends),
            2 * n_rows * weights[0].numel(),
        )
        yield {
            "ceiling": f"grouped product, {name}, max/mean {counts.max() / counts.mean():.1f}",
            "rate": rate / 1e12,
            "unit": "TFLOP/s",
        }


def compare_kernels(bench: Bench) -> Iterator[Row]:
    """Each Triton kernel against its plain twin, on the device or through the interpreter."""
    kernels = fused_ops.load_kernels()
    if kernels is None:
        yield {"kernel": "all", "difference": "not measured: Triton is not installed"}
        return
    on_gpu = bench.device.type == "cuda"
    n, heads, width = (512, 32, 128) if on_gpu else (3, 2, 8)
    dtype = torch.bfloat16 if on_gpu else torch.float32

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=bench.device).to(dtype)

    angles = draw(n, width).cos(), draw(n, width).sin()
    places = torch.randint(n, (n, 4), device=bench.device)
    cases = {
        "rms_norm": (draw(n, width), draw(width), EPS),
        "rotate": (draw(n, heads, width), *angles),
        "norm_and_rotate": (draw(n, heads, width), draw(width), EPS, *angles),
        "gate": (draw(n, 2 * width),),
        "combine": (draw(n, width), places, draw(n, 4)),
        "interpolate": (draw(n, width), places, draw(n, 4).float()),
    }
    if on_gpu and can_compute(Arithmetic.FP8, bench.device):
        cases |= {"quantise": (draw(n, width),), "gate_and_quantise": (draw(n, 2 * width),)}
    for name, case in cases.items():
        expected = getattr(fused_ops, name).__wrapped__(*case)
        found = getattr(kernels, name)(*case)
        if isinstance(found, tuple):
            found, expected = ((v.float() * s[:, None]) for v, s in (found, expected))
        difference = (found.float() - expected.float()).abs().max() / expected.float().abs().max()
        yield {"kernel": name, "difference": float(difference)}
    chosen = torch.randint(128, (n, 8), device=bench.device)
    pairs = zip(
        kernels.sort_by_expert(chosen, 128),
        fused_ops.sort_by_expert.__wrapped__(chosen, 128),
        strict=True,
    )
    n_wrong = sum(int((found != expected).sum()) for found, expected in pairs)
    yield {"kernel": "sort_by_expert", "difference": float(n_wrong)}


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
    ways = ways_of(bench.setup, size, bench.model, bench.tokenizer, bench.setup.plain, True)
    for name, run, n_clips, scorer in ways:
        run()
        found = measured(run, n_clips, bench.device, scorer)
        yield {
            "way": name, "clips/s": found.clips_per_s, "TFLOP/s": found.clips_per_s * flops / 1e12,
            "of the product": f"{found.clips_per_s * flops / peak:.0%}",
            "busy": "–" if found.busy is None else f"{found.busy:.0%}",
            "peak GB": found.peak_bytes / 1e9,
        }  # fmt: skip


def profile_kernels(bench: Bench, size: str) -> Iterator[Row]:
    """Where the time of some passes goes; the table is printed, and its length is the row."""
    scorer = bench.make_scorer(size)
    clips = bench.make_clips(size, min(64, bench.setup.n_clips))
    began = time.perf_counter()
    print_kernels(scorer, clips, bench.device)
    yield {"passes over clips": len(clips), "seconds": time.perf_counter() - began}


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


def measure_fp8(bench: Bench, size: str) -> Iterator[Row]:
    """The rate in fp8, and what it changes in P. From here on the model's weights are fp8."""
    check_device(Arithmetic.FP8, bench.device)
    clips = bench.make_clips(size, bench.n_compared)
    plain = score_all(bench.make_scorer(size), clips)
    bench.model.to(torch.bfloat16)
    prepare_model(bench.model, Arithmetic.FP8)
    scorer = bench.make_scorer(size)
    eight = score_all(scorer, clips)
    apart = measure_difference(eight, plain)
    assert apart is not None  # every clip has a score
    many = bench.make_clips(size, bench.setup.n_clips)
    found = measured(lambda: score_all(scorer, many), len(many), bench.device, scorer)
    yield {
        "clips/s": found.clips_per_s, "busy": f"{found.busy or 0:.0%}",
        "mean ΔP": apart.mean, "max ΔP": apart.max, "difference": str(apart),
    }  # fmt: skip
