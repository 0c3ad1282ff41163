"""Clips per second of a training step, and how far that is from what the device could do.

    python benchmarks/train.py           LoRA at Qwen3-Omni-30B-A3B's sizes, random weights, one GPU
    python benchmarks/train.py --tiny    LoRA and full, on a CPU with the tiny model

Every round runs every way in turn on the same weights; medians. Ours takes a step as
`jobs/train.py` does, in packs; the peer is transformers' own forward in padded batches, as trainers
call it. With --tiny, real videos are then trained on through the decode stage, for the share of a
step that waits for clips. Random weights check speed, not learning.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from random_model import full_size, make_clips, make_model, tiny_size
from roofline import roofline
from torch import distributed
from transformers_ways import TransformersWays

from ah_ray.config import Arithmetic
from ah_ray.omni.flops import count_clip_flops
from ah_ray.omni.inputs.staging import Stager
from ah_ray.omni.model.attention import PACKED
from ah_ray.omni.model.loading import DTYPES, prepare_model
from ah_ray.profile import load_profile
from ah_ray.training.data.questions import LabelledClip, Questions
from ah_ray.training.settings import TrainSettings, train_settings
from ah_ray.training.steps.learner import Learner
from ah_ray.training.steps.lora import add_lora
from ah_ray.training.steps.packed_thinker import PackedThinker
from ah_ray.training.steps.packs import add_labels
from ah_ray.training.steps.supervised import SupervisedStep


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--videos", type=int, default=24, help="drawn ones, with --tiny: 24")
    given = options.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        sys.exit("no GPU here: give --tiny to run all of it on a CPU with the tiny model")
    distributed.init_process_group(
        "gloo" if given.tiny else "nccl", store=distributed.HashStore(), rank=0, world_size=1
    )
    if given.tiny:
        torch.set_num_threads(1)
        table(("lora", "full"), tiny_size(), "tiny", (64, 64), 16, 8, given.rounds)
        distributed.destroy_process_group()
        waiting(given.videos)
    else:
        table(("lora",), full_size(), "seed-448", (448, 448), 32, 2, given.rounds)


def table(methods, sizes, profile_name, size_px, n_clips, batch, rounds: int) -> None:
    """`batch`: clips that the peer passes at a time."""
    config, tokenizer = sizes
    device = torch.device("cpu" if profile_name == "tiny" else "cuda")
    arithmetic = Arithmetic.FLOAT32 if device.type == "cpu" else Arithmetic.BF16
    profile = load_profile(profile_name)
    clips = make_clips(n_clips, *size_px)
    peak = roofline(arithmetic, device)
    once = count_clip_flops(config, 10, *size_px, 5.0)
    print(
        f"{n_clips} clips of 5 s a step, {size_px[0]}×{size_px[1]} px, {arithmetic}; a product of"
    )
    print(f"large matrices: {peak / 1e12:.2f} TFLOP/s; a clip forward: {once / 1e9:.1f} GFLOP\n")
    print("| step | clips/s | tokens/s | share of the roofline | peak memory |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for method in methods:
        model = make_model(config, tokenizer, DTYPES[arithmetic], device)
        settings = train_settings(
            labels="-", model="-", out="-", method=method, train_towers=method == "full",
            lora_dropout=0,
        )  # fmt: skip
        ours, tokens = our_step(model, settings, tokenizer, profile, clips, device)
        peer = peer_step(model, tokenizer, profile, clips, batch)
        ways = {f"**ours**, {method}": ours, f"transformers, batches of {batch}, {method}": peer}
        passes = (4 if device.type == "cuda" else 3) - (method == "lora")
        for name, (seconds, memory) in measured(ways, device, rounds).items():
            rate = n_clips / seconds
            share = rate * once * passes / peak
            per_s = rate * tokens / n_clips
            print(f"| {name} | {rate:.1f} | {per_s:,.0f} | {share:.1%} | {memory} |", flush=True)


def our_step(model, settings: TrainSettings, tokenizer, profile, clips, device):
    prepare_model(model, Arithmetic.FLOAT32)
    if settings.method == "lora":
        peft = add_lora(model, settings)
        learner = Learner(PackedThinker(model, towers=False), sharded=False, peft=peft)
        if device.type == "cuda":
            model.activation_checkpointing_enable({"use_reentrant": False})
    else:
        model.requires_grad_(True)
        learner = Learner(PackedThinker(model, towers=True), sharded=False)
    learner.model.train()
    questions = Questions(profile, tokenizer, model.config.position_id_per_seconds)
    stager = Stager(device, model.dtype)
    step = SupervisedStep(learner, questions, stager, token_budget=16_384, balance=0.0)
    labelled = [LabelledClip(window=n, clip=clip, label=True) for n, clip in enumerate(clips)]
    tokens = sum(add_labels(questions, clip).layout.n_tokens for clip in labelled)

    def run() -> None:
        ready_for_packs(model)
        step.add_gradients(labelled, 0)
        model.zero_grad(set_to_none=True)

    return run, tokens


def ready_for_packs(model) -> None:
    model.set_attn_implementation(
        dict.fromkeys(("text_config", "vision_config", "audio_config"), PACKED)
    )


def peer_step(model, tokenizer, profile, clips, batch: int) -> Callable[[], None]:
    ways = TransformersWays(model, tokenizer, profile)
    answer = Questions(profile, tokenizer, model.config.position_id_per_seconds).target(True)

    def run() -> None:
        ways.set_attention("sdpa")
        ways.learn(clips, answer, batch)
        model.zero_grad(set_to_none=True)

    return run


def measured(
    ways: dict[str, Callable[[], None]], device: torch.device, rounds: int
) -> dict[str, tuple[float, str]]:
    """Median seconds of each way, and the most memory that it took."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    memory = dict.fromkeys(ways, "–")
    for round_ in range(rounds + 1):
        for name, run in ways.items():
            if device.type == "cuda":
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
            began = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
                memory[name] = f"{torch.cuda.max_memory_allocated() / 1e9:.0f} GB"
            if round_:  # the first warms up
                times[name].append(time.perf_counter() - began)
    return {name: (statistics.median(times[name]), memory[name]) for name in ways}


def waiting(n_videos: int) -> None:
    """A short training on real videos, for the share of its steps that waits for clips."""
    import pyarrow.parquet as pq
    from rich.console import Console

    from ah_ray import cluster  # Ray, only here: a GPU is measured without it
    from ah_ray.training.demo import RECIPE, draw_videos, write_demo_labels
    from ah_ray.training.run import train

    with tempfile.TemporaryDirectory() as folder, cluster.connected():
        place, number = Path(folder), {"train": n_videos, "val": 2}
        draw_videos(place / "videos", number, Console(quiet=True))
        write_demo_labels(place / "labels", place / "videos", number)
        settings = train_settings(
            **{**RECIPE, "epochs": 3, "simple_epochs": 0, "evaluate_every": None},
            labels=str(place / "labels"), model="tiny", out=str(place / "out"),
        )  # fmt: skip
        train(settings, Console(quiet=True))
        rows: Sequence[dict] = pq.read_table(place / "out" / "metrics.parquet").to_pylist()
    steps = [row for row in rows if row["step_s"] is not None][5:]
    total, waited = (sum(row[name] for row in steps) for name in ("step_s", "waited_s"))
    clips = sum(row["n_windows"] for row in steps)
    print(
        f"\nThrough files: {clips / total:.1f} clips/s over {len(steps)} steps after the first 5;"
    )
    print(f"{waited / total:.0%} of whose time went by waiting for the decode stage.")


if __name__ == "__main__":
    main()
