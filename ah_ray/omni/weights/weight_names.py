"""Give each weight one name, in any layout of a checkpoint or an adapter.

    released, and ms-swift     thinker.model.layers.0.mlp.experts.3.gate_proj.weight
    thinker alone              model.layers.0.mlp.experts.3.gate_proj.weight
    transformers 5, in memory  model.language_model.layers.0.mlp.experts.gate_up_proj [E, 2I, D]

The second is the name that all others are converted to. A fused tensor holds several such weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Index = tuple[()] | tuple[int, "slice[int, int, None]"]
"""An index into a tensor: all of it, or rows of one expert."""

OTHER_MODELS = ("talker.", "code2wav.")
"""Parts of a complete release beside the thinker; only the thinker scores."""

WRAPPERS = re.compile(
    r"(^|\.)(?:(?:_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+"
)
"""What torch.compile, data parallelism and sharding add to names; replace it by its group 1."""

_PARTS = re.compile(r"^model\.(?:(language_model\.)|(?=(?:visual|audio_tower)\.))")
_FUSED = re.compile(r"(?P<experts>.+\.mlp\.experts)\.(?P<part>gate_up_proj|down_proj)")


@dataclass(frozen=True, slots=True)
class WeightSlice:
    """One weight's part of a tensor."""

    name: str
    index: Index  # () for the whole tensor
    shape: tuple[int, ...]


def strip_wrappers(name: str) -> str:
    """Return a name without what wrappers of the model added to it."""
    return WRAPPERS.sub(r"\1", name)


def is_of_other_model(name: str) -> bool:
    """Return whether a tensor belongs to the talker or the vocoder, which score nothing."""
    return strip_wrappers(name).startswith(OTHER_MODELS)


def normalise_name(name: str) -> str:
    """Return the canonical name of a tensor or module that has `name` in some layout."""
    name = strip_wrappers(name).removeprefix("thinker.")
    return _PARTS.sub(lambda match: "model." if match[1] else "", name)


def list_slices(name: str, shape: tuple[int, ...]) -> Iterator[WeightSlice]:
    """Yield the weights that the tensor `name` holds: itself, or those of all experts."""
    name = normalise_name(name)
    fused = _FUSED.fullmatch(name)
    if fused is None or len(shape) != 3:
        yield WeightSlice(name, (), shape)
        return
    n_experts, rows, columns = shape
    for expert in range(n_experts):
        for part, first, last in split_fused_rows(fused["part"], rows):
            weight = f"{fused['experts']}.{expert}.{part}.weight"
            yield WeightSlice(weight, (expert, slice(first, last)), (last - first, columns))


def split_fused_rows(part: str, rows: int) -> list[tuple[str, int, int]]:
    """Return (part, first row, last row) of what `gate_up_proj` or `down_proj` combines."""
    if part == "gate_up_proj":
        return [("gate_proj", 0, rows // 2), ("up_proj", rows // 2, rows)]
    return [(part, 0, rows)]


def collect_weight_shapes(
    tensors: Iterable[tuple[str, tuple[int, ...]]],
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the thinker's weights, from tensors' names and shapes."""
    return {
        place.name: place.shape
        for name, shape in tensors
        if not is_of_other_model(name)
        for place in list_slices(name, shape)
    }
