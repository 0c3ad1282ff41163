"""What `gpu.py` measures of single kernels: ceilings, agreement with twins, shares of a pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gpu_record import Row
from roofline import roofline
from scorer import profile_passes
from torch.nn import functional as F

from ah_ray.config import Arithmetic
from ah_ray.omni.kernels.blocks import Product, choose_blocks
from ah_ray.omni.model import fused_ops
from ah_ray.omni.model.capability import can_compute
from ah_ray.omni.model.experts import KernelExperts, run_by_torch

if TYPE_CHECKING:
    from gpu_phases import Bench

EPS = 1e-6
_SHOWN_KERNELS = 25


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


def measure_experts(bench: Bench) -> Iterator[Row]:
    """A layer's experts by each way, balanced and skewed as random weights are.

    Half of the rows in a sixteenth of the experts flatters grouped products: real text is nearer to
    the balanced line.
    """
    experts = bench.model.model.language_model.layers[-1].mlp.experts
    weights = experts.gate_up_proj
    kernels = fused_ops.load_kernels()
    n_tokens = 16_384 if bench.device.type == "cuda" else 16
    k, n_experts = bench.config.text_config.num_experts_per_tok, len(weights)
    generator = torch.Generator(bench.device).manual_seed(0)
    x = torch.randn(n_tokens, weights.shape[2], generator=generator, device=bench.device)
    x = x.to(weights.dtype)
    few = max(1, n_experts // 16)
    for name, inclination in (("balanced", 0.0), ("skewed", 3.0)):
        logits = torch.randn(n_tokens, n_experts, generator=generator, device=bench.device)
        logits[:, :few] += inclination
        shares, chosen = logits.softmax(-1).topk(k)
        shares = shares.to(x.dtype)
        counts = torch.bincount(chosen.flatten(), minlength=n_experts).float()
        routing = f"{name}, max/mean {float(counts.max() / counts.mean()):.1f}"
        flops = 2 * chosen.numel() * (weights[0].numel() + experts.down_proj[0].numel())
        choice, _, ends = fused_ops.sort_by_expert(chosen, n_experts)
        rows = x[choice // k]
        blocks = choose_blocks(Product.GATE_UP, weights.element_size(), chosen.numel() / n_experts)
        parts: dict[str, tuple[Callable[[], object], float]] = {
            "grouped product alone, torch": (
                lambda rows=rows, ends=ends: F.grouped_mm(rows, weights.mT, offs=ends),
                2.0 * chosen.numel() * weights[0].numel(),
            ),
            "all of the experts, torch": (
                lambda shares=shares, chosen=chosen: run_by_torch(experts, x, shares, chosen),
                flops,
            ),
        }
        if kernels is not None:
            parts["first product, gathered and gated, ours"] = (
                lambda choice=choice, ends=ends, blocks=blocks: kernels.multiply_gate_up(
                    x, weights, choice, ends, blocks
                ),
                2.0 * chosen.numel() * weights[0].numel(),
            )
            parts["all of the experts, ours"] = (
                lambda shares=shares, chosen=chosen: KernelExperts({})(experts, x, shares, chosen),
                flops,
            )
        for part, (run, amount) in parts.items():
            rate = measure_rate(bench, run, amount)
            yield {"routing": routing, "part": part, "ms": 1e3 * amount / rate,
                   "TFLOP/s": rate / 1e12}  # fmt: skip


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
        yield {"kernel": name, "difference": _measure_apart(found, expected)}
    chosen = torch.rand(n, 128, device=bench.device).topk(8).indices
    pairs = zip(
        kernels.sort_by_expert(chosen, 128),
        fused_ops.sort_by_expert.__wrapped__(chosen, 128),
        strict=True,
    )
    n_wrong = sum(int((found != expected).sum()) for found, expected in pairs)
    yield {"kernel": "sort_by_expert", "difference": float(n_wrong)}
    mlp = bench.model.model.language_model.layers[-1].mlp
    x = draw(n, mlp.gate.weight.shape[1])
    _, shares, chosen = mlp.gate(x)
    found = KernelExperts({})(mlp.experts, x, shares, chosen)
    apart = _measure_apart(found, run_by_torch(mlp.experts, x, shares, chosen))
    yield {"kernel": "experts", "difference": apart}


def _measure_apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    difference = (found.float() - expected.float()).abs().max()
    return float(difference / expected.float().abs().max())


def profile_kernels(bench: Bench, size: str) -> Iterator[Row]:
    """Where the time of some passes goes, kernel by kernel; the longest ones, and all others."""
    scorer = bench.make_scorer(size)
    clips: list[Any] = bench.make_clips(size, min(64, bench.setup.n_clips))
    times = profile_passes(scorer, clips, bench.device)
    whole_ms = sum(one.ms for one in times)
    shown, others = times[:_SHOWN_KERNELS], times[_SHOWN_KERNELS:]
    for one in shown:
        yield {"kernel": one.name, "calls": one.n_calls, "ms a clip": one.ms / len(clips),
               "share": f"{one.ms / whole_ms:.1%}"}  # fmt: skip
    left_ms = sum(one.ms for one in others)
    yield {"kernel": f"{len(others)} others", "calls": sum(one.n_calls for one in others),
           "ms a clip": left_ms / len(clips), "share": f"{left_ms / whole_ms:.1%}"}  # fmt: skip
