"""What loading a checkpoint takes of a node's memory, for one process and for several.

    python benchmarks/loading.py --gigabytes 3 --processes 2

A checkpoint with random weights in the released layout, every expert a tensor of its own, is
written to a folder and loaded in bf16 on a CPU, where the model stays in the memory of the process.
Memory is looked at 50 times a second: *private* is what a process has for itself, *mapped* are the
pages of files that it has read. All processes share these, and the system takes them back when it
needs to. *Held beside the model* is the private memory at its peak without what is left after
loading: what a GPU's node needs beyond the mapped pages, because its model lies on the GPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import transformers
from random_model import full_size
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

_EVERY_S = 0.02
_TOWERS_BYTES = 500_000_000  # about, with the embeddings
LOAD = """
import json, sys, time
from pathlib import Path
import torch
from ah_ray.config import Arithmetic
from ah_ray.omni.model.loading import load_model
torch.set_num_threads(1)
def private():
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024
before = private()
print(json.dumps({"before": before}), flush=True)
sys.stdin.readline()
began = time.perf_counter()
model = load_model(Path(sys.argv[1]), Arithmetic.BF16, [torch.device("cpu")], (), lambda _: None)
seconds = time.perf_counter() - began
n_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
print(json.dumps({"seconds": seconds, "bytes": n_bytes, "after": private()}), flush=True)
sys.stdin.readline()
"""


def write_checkpoint(folder: Path, gigabytes: float) -> int:
    """Write a thinker of about this size, as it is released. Return the bytes of its weights."""
    config, _ = full_size()
    text = config.text_config
    config.vision_config.depth, config.vision_config.deepstack_visual_indexes = 2, [0]
    config.audio_config.encoder_layers = 2
    text.num_experts, text.num_hidden_layers, text.vocab_size = 32, 2, 16_000
    layer = 3 * text.num_experts * text.moe_intermediate_size * text.hidden_size * 2
    text.num_hidden_layers = max(2, round((gigabytes * 1e9 - _TOWERS_BYTES) / layer))
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration._from_config(
            config, dtype=torch.bfloat16
        )
    model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.02, 0.02)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder, save_original_format=True, max_shard_size="1GB")
    return sum(p.numel() * p.element_size() for p in model.parameters())


def read_memory(pid: int) -> tuple[int, int]:
    """Return the private and the mapped bytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(int(lines[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))


def load(folder: Path, n_processes: int) -> dict[str, float]:
    """Load in several processes at once. Return seconds, and the peaks of one and of all."""
    command = [sys.executable, "-c", LOAD, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(n_processes)]
    before = [json.loads(one.stdout.readline())["before"] for one in running]
    for one in running:
        one.stdin.write("go\n")
        one.stdin.flush()
    found: list[dict[str, float]] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(json.loads(one.stdout.readline())))
        for one in running
    ]
    for thread in threads:
        thread.start()
    peak_private = peak_mapped = peak_all = 0
    while any(thread.is_alive() for thread in threads):
        seen = [read_memory(one.pid) for one in running]
        private = [now - then for (now, _), then in zip(seen, before, strict=True)]
        peak_private = max(peak_private, *private)
        peak_mapped = max(peak_mapped, *(mapped for _, mapped in seen))
        peak_all = max(peak_all, sum(private))
        time.sleep(_EVERY_S)
    for one in running:
        one.stdin.write("end\n")
        one.stdin.flush()
        one.wait()
    return {
        "seconds": max(one["seconds"] for one in found), "bytes": found[0]["bytes"],
        "private": peak_private, "mapped": peak_mapped, "private of all": peak_all,
        "after": max(one["after"] - then for one, then in zip(found, before, strict=True)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ah_ray-loading-") as name:
        folder = Path(name)
        n_bytes = write_checkpoint(folder, given.gigabytes)
        n_files = len(list(folder.glob("*.safetensors")))
        print(f"{n_bytes / 1e9:.2f} GB of weights in {n_files} files\n")
        print("| processes | seconds | private, peak | left | held beside the model | mapped, peak "
              "| node of a GPU, × weights |")  # fmt: skip
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for n in sorted({1, given.processes}):
            found = load(folder, n)
            beside = found["private"] - found["after"]
            share = 1 + n * beside / n_bytes  # the files, mapped once, and what each process adds
            gigabytes = (found["private"], found["after"], beside, found["mapped"])
            cells = " | ".join(f"{one / 1e9:.2f} GB" for one in gigabytes)
            print(f"| {n} | {found['seconds']:.1f} | {cells} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
