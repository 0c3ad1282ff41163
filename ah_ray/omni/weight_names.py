"""One name for each weight, whatever layout a checkpoint or an adapter was saved in.

    released, and ms-swift     thinker.model.layers.0.mlp.experts.3.gate_proj.weight
    thinker alone              model.layers.0.mlp.experts.3.gate_proj.weight
    transformers 5, in memory  model.language_model.layers.0.mlp.experts.gate_up_proj [E, 2I, D]

The second is the name that all others come down to. A fused tensor holds several such weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Index = tuple[int | slice, ...]

OTHER_MODELS = ("talker.", "code2wav.")
"""What a full release holds beside the thinker, which is all that scores."""

_PARTS = re.compile(r"^model\.(?:(language_model\.)|(?=(?:visual|audio_tower)\.))")
_FUSED = re.compile(r"(?P<experts>.+\.mlp\.experts)\.(?P<part>gate_up_proj|down_proj)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one weight lies in a tensor."""

    name: str
    index: Index  # () for the whole tensor
    shape: tuple[int, ...]


def weight_name(name: str) -> str:
    """The one name of a tensor, or module, that is called `name` somewhere."""
    name = name.removeprefix("thinker.")
    return _PARTS.sub(lambda match: "model." if match[1] else "", name)


def places(name: str, shape: tuple[int, ...]) -> Iterator[Place]:
    """The weights that the tensor `name` holds: itself, or those of all experts."""
    name = weight_name(name)
    fused = _FUSED.fullmatch(name)
    if fused is None or len(shape) != 3:
        yield Place(name, (), shape)
        return
    n_experts, rows, columns = shape
    for expert in range(n_experts):
        for part, first, last in fused_rows(fused["part"], rows):
            weight = f"{fused['experts']}.{expert}.{part}.weight"
            yield Place(weight, (expert, slice(first, last)), (last - first, columns))


def fused_rows(part: str, rows: int) -> list[tuple[str, int, int]]:
    """(part, first row, last row) of what is fused into `gate_up_proj` or `down_proj`."""
    if part == "gate_up_proj":
        return [("gate_proj", 0, rows // 2), ("up_proj", rows // 2, rows)]
    return [(part, 0, rows)]


def weight_shapes(tensors: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """The shape of each weight in tensors of these names and shapes; only the thinker's."""
    return {
        place.name: place.shape
        for name, shape in tensors
        if not name.startswith(OTHER_MODELS)
        for place in places(name, shape)
    }
