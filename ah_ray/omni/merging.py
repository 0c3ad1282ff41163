"""Adapters into weights: W + scale · B·A in float32, then rounded once to the weight's own type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from ah_ray.omni.adapter import Adapter, read_adapter
from ah_ray.omni.adapter_fit import LowRank, Shapes, Update, Whole, fit
from ah_ray.omni.weight_names import places, weight_shapes

_FACTORS_KEPT = 8  # the fused ones of a layer's experts are used again for each expert


class Merge:
    """Adapters that fit a base of these shapes, ready to be added to it tensor by tensor.

    Raises ConfigError that names the key which has no place, or whose shape does not fit.
    """

    def __init__(self, adapters: Sequence[Adapter], shapes: Shapes):
        self._updates = fit(adapters, shapes)
        self._files = {a.path: safe_open(a.weights, framework="pt") for a in adapters}
        self._factor = lru_cache(_FACTORS_KEPT)(self._read)

    @property
    def n_weights(self) -> int:
        """How many weights change."""
        return len(self._updates)

    def changes(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether anything in this tensor changes."""
        return any(place.name in self._updates for place in places(name, shape))

    @torch.no_grad()
    def into(self, name: str, tensor: torch.Tensor) -> None:
        """Changes a tensor of the base in place; a fused one expert by expert."""
        for place in places(name, tuple(tensor.shape)):
            weight = tensor[place.index]
            updates = self._updates.get(place.name)
            if updates:
                weight.copy_(self._updated(weight, updates))

    def _updated(self, weight: torch.Tensor, updates: Iterable[Update]) -> torch.Tensor:
        """The weight [out, in] after its updates, in float32."""
        updated = weight.float()
        for update in updates:
            if isinstance(update, Whole):
                updated = self._read(update.adapter.path, update.key, weight.device)
            else:
                b, a = self._factors(update, weight.device)
                updated = torch.addmm(updated, b, a, alpha=update.scale)
        return updated

    def _factors(self, update: LowRank, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """[out, r] and [r, in], of one weight."""
        a = self._factor(update.adapter.path, update.key_a, device)
        b = self._factor(update.adapter.path, update.key_b, device)
        if (expert := update.expert) is not None:
            a = a.unflatten(0, (expert.n, -1))[expert.index]
            b = b.unflatten(1, (-1, expert.n))[expert.first_row : expert.last_row, :, expert.index]
        return (a.T, b.T) if update.transposed else (b, a)

    def _read(self, path: Path, key: str, device: torch.device) -> torch.Tensor:
        return self._files[path].get_tensor(key).to(device, torch.float32)


def merge_into(model: nn.Module, adapters: Sequence[Path]) -> None:
    """Adds adapters, one after another, to a loaded thinker on whatever devices it lies.

    Raises ConfigError as `Merge` does, before anything is changed.
    """
    if not adapters:
        return
    parameters = dict(model.named_parameters())
    shapes = weight_shapes((name, tuple(p.shape)) for name, p in parameters.items())
    merge = Merge([read_adapter(adapter) for adapter in adapters], shapes)
    for name, parameter in parameters.items():
        merge.into(name, parameter.data)
