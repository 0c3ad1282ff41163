"""Choose which layers of the thinker go on which GPU, when no single GPU holds them all.

Each GPU gets consecutive layers. A pack goes through the GPUs in turn, and only its hidden states
(4 KB a token) move from one to the next. The first GPU also holds the towers and the embedding, the
last one the head. All of this is arithmetic on a model without memory (`meta`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.errors import ConfigError

ROOM_BYTES = 3 * 1024**3
"""What a GPU must have left beside its weights: for CUDA itself, and for passes of a few clips."""

_SMALL_MODEL_BYTES = 10**9
_SMALL_ROOM_BYTES = 256 * 1024**2  # the tiny model also runs on a GPU with 4 GB

_LAYER = "model.language_model.layers."
_FIRST = (
    "model.visual", "model.audio_tower", "model.language_model.embed_tokens",
    "model.language_model.rotary_emb",
)  # fmt: skip
_LAST = ("model.language_model.norm", "lm_head")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuShare:
    """What one GPU holds."""

    layers: range  # of the language model
    weight_bytes: int
    room_bytes: int  # left for the passes


def measure_parts(config: Qwen3OmniMoeThinkerConfig, bytes_per_value: int = 2) -> dict[str, int]:
    """Return the bytes of each part that goes on one GPU: layers, towers, embedding, norm, head."""
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    sizes: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        sizes[_find_part(name)] += parameter.numel() * bytes_per_value
    return dict(sizes)


def _find_part(name: str) -> str:
    if name.startswith(_LAYER):
        return _LAYER + name.removeprefix(_LAYER).split(".")[0]
    return next(part for part in (*_FIRST, *_LAST) if name.startswith(f"{part}."))


def find_room_bytes(sizes: dict[str, int]) -> int:
    """Return the bytes that a GPU must have left beside the weights of this model."""
    return ROOM_BYTES if sum(sizes.values()) >= _SMALL_MODEL_BYTES else _SMALL_ROOM_BYTES


def split_layers(sizes: dict[str, int], gpu_bytes: Sequence[int]) -> list[GpuShare]:
    """Return what each GPU holds, so that the least room on a GPU is as large as possible.

    `sizes` come from `measure_parts`, and `gpu_bytes` is the free memory of each GPU, in order.
    Raise ConfigError, which says what would fit, if the room on a GPU would be under
    `find_room_bytes`.
    """
    layers, first, last = _order_parts(sizes)
    low, high = find_room_bytes(sizes), max(gpu_bytes)
    best = _place_layers(layers, first, last, gpu_bytes, low)
    if best is None:
        raise ConfigError(_describe_shortage(sizes, gpu_bytes))
    while high - low > 1:
        room = (low + high) // 2
        cut = _place_layers(layers, first, last, gpu_bytes, room)
        low, high, best = (low, room, best) if cut is None else (room, high, cut)
    shares: list[GpuShare] = []
    start = 0
    for gpu, stop in enumerate(best):
        weights = sum(layers[start:stop])
        weights += first if gpu == 0 else 0
        weights += last if gpu == len(best) - 1 else 0
        shares.append(
            GpuShare(
                layers=range(start, stop),
                weight_bytes=weights,
                room_bytes=gpu_bytes[gpu] - weights,
            )
        )
        start = stop
    return shares


def count_gpus_needed(sizes: dict[str, int], gpu_bytes: int) -> int | None:
    """Return the fewest GPUs with `gpu_bytes` free each that hold a model, or None if none do."""
    layers, first, last = _order_parts(sizes)
    room = find_room_bytes(sizes)
    return next(
        (
            n_gpus
            for n_gpus in range(1, len(layers) + 1)
            if _place_layers(layers, first, last, [gpu_bytes] * n_gpus, room)
        ),
        None,
    )


def _order_parts(sizes: dict[str, int]) -> tuple[list[int], int, int]:
    """Return the bytes of each layer, and of the parts before and after all layers."""
    n_layers = sum(part.startswith(_LAYER) for part in sizes)
    first, last = (sum(sizes.get(part, 0) for part in parts) for parts in (_FIRST, _LAST))
    return [sizes[f"{_LAYER}{n}"] for n in range(n_layers)], first, last


def _place_layers(
    layers: Sequence[int], first: int, last: int, gpu_bytes: Sequence[int], room: int
) -> list[int] | None:
    """Return where each GPU's layers end if every GPU keeps `room` free, or None if it cannot."""
    stops: list[int] = []
    stop = 0
    for gpu, free in enumerate(gpu_bytes):
        left = free - room
        left -= first if gpu == 0 else 0
        left -= last if gpu == len(gpu_bytes) - 1 else 0
        if left < 0:
            return None
        while stop < len(layers) and layers[stop] <= left:
            left -= layers[stop]
            stop += 1
        stops.append(stop)
    return stops if stop == len(layers) else None


def _describe_shortage(sizes: dict[str, int], gpu_bytes: Sequence[int]) -> str:
    n_gpus = count_gpus_needed(sizes, min(gpu_bytes))
    advice = (
        f"give {n_gpus} such GPUs of one node (--gpus-per-replica {n_gpus}), or larger ones"
        if n_gpus
        else "give larger GPUs"
    )
    room = find_room_bytes(sizes)
    gpus = " + ".join(f"{free / 1e9:.0f}" for free in gpu_bytes)
    return (
        f"the model's {sum(sizes.values()) / 1e9:.1f} GB of weights, and {room / 1e9:.1f} GB "
        f"on each GPU to work in, do not fit in {gpus} GB of free GPU memory: {advice}"
    )


def make_device_map(
    shares: Sequence[GpuShare], devices: Sequence[torch.device]
) -> dict[str, torch.device]:
    """Return each part's device, by the names that transformers uses to load."""
    places = dict.fromkeys(_FIRST, devices[0]) | dict.fromkeys(_LAST, devices[-1])
    for share, device in zip(shares, devices, strict=True):
        places |= {f"{_LAYER}{n}": device for n in share.layers}
    return places
