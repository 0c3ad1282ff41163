"""Which layers of the thinker lie on which GPU, when no single one holds them all.

Layers are cut into contiguous runs, one a card: a pack goes through the cards in turn, and only
its hidden states (4 KB a token) cross from one to the next. The first card also holds the towers
and the embedding, the last one the head. Pure arithmetic, on a model without memory (`meta`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.errors import ConfigError

ROOM_BYTES = 3 * 1024**3
"""What a card must have left beside its weights: CUDA itself, and the passes of a few clips."""

_LAYER = "model.language_model.layers."
_FIRST = (
    "model.visual", "model.audio_tower", "model.language_model.embed_tokens",
    "model.language_model.rotary_emb",
)  # fmt: skip
_LAST = ("model.language_model.norm", "lm_head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one card holds."""

    layers: range  # of the language model
    weight_bytes: int
    room_bytes: int  # left for the passes


def part_bytes(config: Qwen3OmniMoeThinkerConfig, bytes_per_value: int = 2) -> dict[str, int]:
    """Bytes of each part that is placed as a whole: layers, towers, embedding, norm, head."""
    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    sizes: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        sizes[_part(name)] += parameter.numel() * bytes_per_value
    return dict(sizes)


def _part(name: str) -> str:
    if name.startswith(_LAYER):
        return _LAYER + name.removeprefix(_LAYER).split(".")[0]
    return next(part for part in (*_FIRST, *_LAST) if name.startswith(f"{part}."))


def split(sizes: dict[str, int], card_bytes: Sequence[int]) -> list[Share]:
    """The shares of cards with this much free memory each, in order, as evenly full as may be.

    `sizes` are of `part_bytes`. The least room on any card is as large as can be. Raises
    ConfigError, saying what would fit, if that is under `ROOM_BYTES`.
    """
    layers, first, last = _in_order(sizes)
    low, high = ROOM_BYTES, max(card_bytes)
    best = _cut(layers, first, last, card_bytes, low)
    if best is None:
        raise ConfigError(_too_small(sizes, card_bytes))
    while high - low > 1:
        room = (low + high) // 2
        cut = _cut(layers, first, last, card_bytes, room)
        low, high, best = (low, room, best) if cut is None else (room, high, cut)
    shares: list[Share] = []
    start = 0
    for card, stop in enumerate(best):
        weights = sum(layers[start:stop])
        weights += first if card == 0 else 0
        weights += last if card == len(best) - 1 else 0
        shares.append(
            Share(
                layers=range(start, stop),
                weight_bytes=weights,
                room_bytes=card_bytes[card] - weights,
            )
        )
        start = stop
    return shares


def cards_needed(sizes: dict[str, int], card_bytes: int) -> int | None:
    """The fewest cards with this much free memory each that hold a model; None: none do."""
    layers, first, last = _in_order(sizes)
    return next(
        (
            n_cards
            for n_cards in range(1, len(layers) + 1)
            if _cut(layers, first, last, [card_bytes] * n_cards, ROOM_BYTES)
        ),
        None,
    )


def _in_order(sizes: dict[str, int]) -> tuple[list[int], int, int]:
    """Bytes of each layer, and of what lies before and after them."""
    n_layers = sum(part.startswith(_LAYER) for part in sizes)
    first, last = (sum(sizes.get(part, 0) for part in parts) for parts in (_FIRST, _LAST))
    return [sizes[f"{_LAYER}{n}"] for n in range(n_layers)], first, last


def _cut(
    layers: Sequence[int], first: int, last: int, card_bytes: Sequence[int], room: int
) -> list[int] | None:
    """Where each card's run of layers ends if every card keeps `room` free; None: it cannot."""
    stops: list[int] = []
    stop = 0
    for card, there in enumerate(card_bytes):
        left = there - room
        left -= first if card == 0 else 0
        left -= last if card == len(card_bytes) - 1 else 0
        if left < 0:
            return None
        while stop < len(layers) and layers[stop] <= left:
            left -= layers[stop]
            stop += 1
        stops.append(stop)
    return stops if stop == len(layers) else None


def _too_small(sizes: dict[str, int], card_bytes: Sequence[int]) -> str:
    n_cards = cards_needed(sizes, min(card_bytes))
    mend = (
        f"give {n_cards} such GPUs of one node (--gpus-per-replica {n_cards}), or larger ones"
        if n_cards
        else "give larger GPUs"
    )
    cards = " + ".join(f"{there / 1e9:.0f}" for there in card_bytes)
    return (
        f"the model's {sum(sizes.values()) / 1e9:.1f} GB of weights, and {ROOM_BYTES / 1e9:.1f} GB "
        f"on each GPU to work in, do not fit in {cards} GB of free GPU memory: {mend}"
    )


def device_map(shares: Sequence[Share], devices: Sequence[torch.device]) -> dict[str, torch.device]:
    """Each part's device, by the names that transformers loads by."""
    places = dict.fromkeys(_FIRST, devices[0]) | dict.fromkeys(_LAST, devices[-1])
    for share, device in zip(shares, devices, strict=True):
        places |= {f"{_LAYER}{n}": device for n in share.layers}
    return places
