"""Clips per second of the scorer, and how far that is from what the device could do.

    python benchmarks/scorer.py              Qwen3-Omni-30B-A3B's sizes, random weights, one GPU
    python benchmarks/scorer.py --tiny       all of it on a CPU, with the tiny model
    python benchmarks/scorer.py --kernels    also where a pass spends its time, by kernel

Every round runs every way in turn on the same weights; medians. The roofline is measured in the
same run: a large matrix product. Random weights check speed and kernels, not quality.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import torch
from random_model import full_size, make_clips, make_model, tiny_size
from roofline import roofline
from torch.profiler import ProfilerActivity, profile
from transformers_ways import TransformersWays

from ah_ray.config import Arithmetic
from ah_ray.interfaces.scorer import CALLS_AT_ONCE, CLIPS_PER_GPU_CALL
from ah_ray.omni.flops import count_clip_flops
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.capability import check_device
from ah_ray.omni.model.experts import RunExperts, choose_experts
from ah_ray.omni.model.loading import DTYPES, prepare_model
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.scorer import OmniScorer
from ah_ray.profile import load_profile
from ah_ray.records import Clip
from ah_ray.verdicts.difference import ENOUGH_CLIPS, measure_difference

PUBLISHED = "transformers, generate, clip by clip (published)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is measured, and how long."""

    device: torch.device
    plain: Arithmetic
    profiles: dict[str, tuple[str, int, int]]  # name → profile, height, width
    budgets: tuple[int | None, ...]  # None: found by a trial pass
    n_clips: int  # per way and round
    n_published: int
    batch: int
    rounds: int


FULL = Setup(
    device=torch.device("cuda"),
    plain=Arithmetic.BF16,
    profiles={"448²": ("seed-448", 448, 448), "720p": ("seed", 576, 1024)},
    budgets=(8_192, 16_384, 32_768, None),
    n_clips=512,  # every thread brings several calls, so that full packs are the rule
    n_published=8,
    batch=8,
    rounds=3,
)
TINY = Setup(
    device=torch.device("cpu"),
    plain=Arithmetic.FLOAT32,
    profiles={"64²": ("tiny", 64, 64), "128×96": ("tiny", 96, 128)},
    budgets=(512, 1_024),
    n_clips=32,
    n_published=4,
    batch=8,
    rounds=5,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way's figures of one round."""

    clips_per_s: float
    busy: float | None
    peak_bytes: int


def measured(way: Callable[[], None], n_clips: int, device, scorer: OmniScorer | None) -> Row:
    """Wall time of a way over n clips, and what it took."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    busy_s, began = scorer.busy_s if scorer else 0.0, time.perf_counter()
    way()
    wall_s = time.perf_counter() - began
    if device.type == "cuda":
        peak_bytes = torch.cuda.max_memory_allocated(device)
    else:
        peak_bytes = psutil.Process().memory_info().rss
    return Row(
        clips_per_s=n_clips / wall_s,
        busy=(scorer.busy_s - busy_s) / wall_s if scorer else None,
        peak_bytes=peak_bytes,
    )


def score_all(scorer: OmniScorer, clips: Sequence[Clip]) -> list[float | None]:
    """P(A/H) of each clip, brought to the scorer as the pipeline brings them."""
    size = CLIPS_PER_GPU_CALL
    calls = [clips[n : n + size] for n in range(0, len(clips), size)]
    with ThreadPoolExecutor(CALLS_AT_ONCE) as threads:
        return [score.p_ah for scores in threads.map(scorer.score, calls) for score in scores]


def ways_of(setup: Setup, size: str, model, tokenizer, run_experts: RunExperts, *, theirs: bool):
    """(name, run, number of clips, scorer) of each way at one size."""
    name, height_px, width_px = setup.profiles[size]
    clips = make_clips(setup.n_clips, height_px, width_px)
    if theirs:
        ways = TransformersWays(model, tokenizer, load_profile(name))
        few = clips[: setup.n_published]

        def sdpa(run: Callable[[], object]) -> Callable[[], None]:
            def way() -> None:
                ways.set_attention("sdpa")
                run()
                ways.set_attention(PACKED)

            return way

        yield PUBLISHED, sdpa(lambda: ways.published(few)), len(few), None
        batches = clips[: 4 * setup.batch]
        yield (
            f"transformers, prefill, padded batches of {setup.batch}",
            sdpa(lambda: ways.batched(batches, setup.batch)),
            len(batches),
            None,
        )
    thinker = Thinker(model, run_experts)
    for budget in (1, *setup.budgets):
        scorer = OmniScorer.from_thinker(thinker, tokenizer, load_profile(name), budget)
        label = "alone" if budget == 1 else f"packs of {scorer.token_budget:,} tokens"
        yield (
            f"**ours**, {label}" + (" (found)" if budget is None else ""),
            lambda scorer=scorer: score_all(scorer, clips),
            len(clips),
            scorer,
        )


def run_size(
    setup: Setup,
    size: str,
    model,
    tokenizer,
    arithmetic: Arithmetic,
    run_experts: RunExperts,
    peak: float,
    published: dict,
) -> Iterator[str]:
    """The table's lines of one size in one arithmetic; the ways take turns in each round."""
    _, height_px, width_px = setup.profiles[size]
    theirs = arithmetic is setup.plain
    ways = list(ways_of(setup, size, model, tokenizer, run_experts, theirs=theirs))
    for _, way, _, _ in ways:  # warm-up: kernels are compiled and chosen
        way()
    rows: dict[str, list[Row]] = {name: [] for name, *_ in ways}
    for _ in range(setup.rounds):
        for name, way, n_clips, scorer in ways:
            rows[name].append(measured(way, n_clips, setup.device, scorer))
    flops = count_clip_flops(model.config, 10, height_px, width_px, 5.0)
    for name, of_way in rows.items():
        rate = statistics.median(row.clips_per_s for row in of_way)
        if name == PUBLISHED:
            published[size] = rate
        cells = (
            size,
            arithmetic,
            name,
            f"{rate:.2f}",
            f"{rate * flops / 1e12:.3g}",
            f"{rate * flops / peak:.0%}",
            f"{statistics.median(row.busy for row in of_way):.0%}" if of_way[0].busy else "–",
            f"{max(row.peak_bytes for row in of_way) / 1e9:.1f}",
            f"{rate / published[size]:.1f}",
        )
        yield f"| {' | '.join(cells)} |"


@dataclass(frozen=True, slots=True)
class KernelTime:
    """The time of all calls of one kernel, or on a CPU of one operation."""

    name: str
    n_calls: int
    ms: float


def profile_passes(
    scorer: OmniScorer, clips: Sequence[Clip], device: torch.device
) -> list[KernelTime]:
    """Return where the time of some passes goes, by kernel, the longest first."""
    cuda = device.type == "cuda"
    scorer.score(clips)  # kernels are compiled and chosen before
    with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as profiler:
        scorer.score(clips)  # in this thread: a CPU's operations are recorded by thread
        if cuda:
            torch.cuda.synchronize(device)
    found = [
        KernelTime(
            one.key[:90],
            one.count,
            (one.self_device_time_total if cuda else one.self_cpu_time_total) / 1e3,
        )
        for one in profiler.key_averages()
    ]
    return sorted((one for one in found if one.ms > 0), key=lambda one: -one.ms)


def print_kernels(scorer: OmniScorer, clips: Sequence[Clip], device: torch.device) -> None:
    """Where the time of some passes goes."""
    times = profile_passes(scorer, clips, device)
    whole_ms = sum(one.ms for one in times)
    print("\n| kernel | calls | ms | share |\n| --- | ---: | ---: | ---: |")
    for one in times[:30]:
        print(f"| {one.name} | {one.n_calls} | {one.ms:.2f} | {one.ms / whole_ms:.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="the tiny model, on a CPU")
    parser.add_argument("--kernels", action="store_true", help="profile by kernel, too")
    arguments = parser.parse_args()
    setup = TINY if arguments.tiny else FULL
    if setup.device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU at hand; --tiny runs the same on a CPU")
    config, tokenizer = tiny_size() if arguments.tiny else full_size()
    began = time.perf_counter()
    model = make_model(config, tokenizer, DTYPES[setup.plain], setup.device)
    n_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    name = "CPU" if arguments.tiny else torch.cuda.get_device_name(setup.device)
    print(f"{name}, torch {torch.__version__}; random weights, {n_bytes / 1e9:.3g} GB, made in "
          f"{time.perf_counter() - began:.0f} s; medians of {setup.rounds} rounds")  # fmt: skip
    first = next(iter(setup.profiles))
    profile_name, height_px, width_px = setup.profiles[first]
    compared = make_clips(ENOUGH_CLIPS, height_px, width_px)
    plain: list[float | None] = []
    published: dict[str, float] = {}
    for arithmetic in (setup.plain, Arithmetic.FP8):
        if arithmetic is Arithmetic.FP8:
            check_device(arithmetic, setup.device)
            model.to(DTYPES[arithmetic])
        prepare_model(model, arithmetic)
        run_experts = choose_experts(model, print)
        peak = roofline(arithmetic, setup.device)
        print(f"\n{arithmetic}: a large matrix product runs at {peak / 1e12:.3g} TFLOP/s\n")
        print("| size | arithmetic | way | clips/s | TFLOP/s | of roofline | busy | peak GB "
              "| × published |")  # fmt: skip
        print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for size in setup.profiles:
            lines = run_size(
                setup, size, model, tokenizer, arithmetic, run_experts, peak, published
            )
            for line in lines:
                print(line, flush=True)
        scorer = OmniScorer.from_thinker(
            Thinker(model, run_experts), tokenizer, load_profile(profile_name)
        )
        scored = score_all(scorer, compared)
        if arithmetic is Arithmetic.FP8:
            print(
                f"\nfp8 against {setup.plain} on random weights: "
                f"{measure_difference(scored, plain)}"
            )
        plain = scored
        if arguments.kernels:
            print_kernels(scorer, compared[: setup.n_clips], setup.device)


if __name__ == "__main__":
    main()
