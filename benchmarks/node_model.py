"""What a GPU node needs whose own cores decode for its GPUs, from constants that were measured.

python benchmarks/node_model.py           the table of docs/cluster.md
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # it need not be installed

from cost_model import Constants

from ah_ray.interfaces.scorer import CALLS_AT_ONCE, CLIPS_PER_GPU_CALL

FRAME_PX = 576 * 320
"""720p as `seed-448` shows it."""

CLIP_BYTES = 10 * FRAME_PX * 3 + 5 * 16_000 * 4
"""Ten frames in uint8, and five seconds of sound in float32."""

DECODER_BYTES = 400e6
"""At most, with its warm parent and its child (docs/architecture.md, Memory)."""

WEIGHT_BYTES = 63.4e9
"""Read from files that are mapped: one copy in the page cache for all replicas of a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that decodes for its own GPUs."""

    gpus: int
    clips_per_s: float
    cores: int
    recordings_gb_s: float  # over the network, from the store
    frames_gb_s: float  # through the node's memory; over the network if others decode
    copied_gb_s: float  # to each GPU
    held_gb: float  # by decoders and by clips that wait for replicas
    cached_gb: float  # of weights, while replicas load


def estimate_node(gpus: int, constants: Constants | None = None) -> Node:
    """Return what a node with so many GPUs needs to keep all of them busy."""
    c = constants or Constants()
    rate = gpus * c.clips_per_gpu_s
    cpu_s_per_clip = c.decode_cpu_s_per_min * c.window_s / 60 / c.distribution
    cores = ceil(rate * cpu_s_per_clip)
    waiting = gpus * CALLS_AT_ONCE * CLIPS_PER_GPU_CALL * CLIP_BYTES
    return Node(
        gpus=gpus,
        clips_per_s=rate,
        cores=cores,
        recordings_gb_s=rate * c.mb_per_min * c.window_s / 60 / 1e3,
        frames_gb_s=rate * CLIP_BYTES / 1e9,
        copied_gb_s=c.clips_per_gpu_s * CLIP_BYTES / 1e9,
        held_gb=(cores * DECODER_BYTES + waiting) / 1e9,
        cached_gb=WEIGHT_BYTES / 1e9,
    )


def format_table(constants: Constants | None = None) -> str:
    """Return the table of nodes with 1, 2, 4 and 8 GPUs."""
    lines = [
        "| GPUs | clips/s | cores | recordings in | frames | to each GPU | memory held | weights |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for gpus in (1, 2, 4, 8):
        node = estimate_node(gpus, constants)
        lines.append(
            f"| {gpus} | {node.clips_per_s:.0f} | {node.cores} | {node.recordings_gb_s:.2f} GB/s "
            f"| {node.frames_gb_s:.2f} GB/s | {node.copied_gb_s:.2f} GB/s | {node.held_gb:.0f} GB "
            f"| {node.cached_gb:.0f} GB |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(format_table())
