"""Add adapters to weights: W + scale · B·A in float32, rounded once to the weight's own type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.adapter import Adapter, read_adapter
from ah_ray.omni.weights.adapter_fit import LowRankUpdate, Replacement, Shapes, Update, fit_adapters
from ah_ray.omni.weights.weight_names import collect_weight_shapes, list_slices

_FACTORS_KEPT = 8  # the fused ones of a layer's experts are used again for each expert


class Merge:
    """Adapters that fit a base of these shapes, ready to be added to it tensor by tensor.

    Raise ConfigError, which names the key, if a key has no place or its shape does not fit.
    """

    def __init__(self, adapters: Sequence[Adapter], shapes: Shapes):
        self._updates = fit_adapters(adapters, shapes)
        self._files = {a.path: safe_open(a.weights, framework="pt") for a in adapters}
        self._factor = lru_cache(_FACTORS_KEPT)(self._read_tensor)

    @property
    def n_weights(self) -> int:
        """Return how many weights change."""
        return len(self._updates)

    def changes(self, name: str, shape: tuple[int, ...]) -> bool:
        """Return whether anything in this tensor changes."""
        return any(place.name in self._updates for place in list_slices(name, shape))

    @torch.no_grad()
    def apply_to(self, name: str, tensor: torch.Tensor) -> None:
        """Change a tensor of the base in place; a fused one expert by expert.

        Raise ConfigError, which names the tensor, if the result holds NaN or infinity.
        """
        for place in list_slices(name, tuple(tensor.shape)):
            weight = tensor[place.index]
            updates = self._updates.get(place.name)
            if updates:
                weight.copy_(self._apply_updates(weight, updates))
                if not torch.isfinite(weight).all():
                    raise self._make_non_finite_error(place.name, updates)

    def _make_non_finite_error(self, weight: str, updates: Sequence[Update]) -> ConfigError:
        """Return an error that names the adapter's tensor with NaN or infinity, or the sum."""
        for update in updates:
            keys = [update.key] if isinstance(update, Replacement) else [update.key_a, update.key_b]
            for key in keys:
                if not torch.isfinite(
                    self._read_tensor(update.adapter.path, key, torch.device("cpu"))
                ).all():
                    return ConfigError(
                        f"--adapter {update.adapter.path}: {key} holds NaN or infinity: its "
                        "training broke down; give an earlier checkpoint of it"
                    )
        return ConfigError(
            f"--adapter {updates[-1].adapter.path}: with it, {weight} holds NaN or infinity; check "
            "that the base is finite, and the adapter's lora_alpha and r"
        )

    def _apply_updates(self, weight: torch.Tensor, updates: Iterable[Update]) -> torch.Tensor:
        """Return the weight [out, in] after its updates, in float32."""
        updated = weight.float()
        for update in updates:
            if isinstance(update, Replacement):
                updated = self._read_tensor(update.adapter.path, update.key, weight.device)
            else:
                b, a = self._read_factors(update, weight.device)
                updated = torch.addmm(updated, b, a, alpha=update.scale)
        return updated

    def _read_factors(
        self, update: LowRankUpdate, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the factors [out, r] and [r, in] of one weight."""
        a = self._factor(update.adapter.path, update.key_a, device)
        b = self._factor(update.adapter.path, update.key_b, device)
        if (expert := update.expert) is not None:
            a = a.unflatten(0, (expert.n, -1))[expert.index]
            b = b.unflatten(1, (-1, expert.n))[..., expert.index]
            if expert.exchanged:
                a, b = b.T, a.T
            b = b[expert.first_row : expert.last_row]
        return (a.T, b.T) if update.transposed else (b, a)

    def _read_tensor(self, path: Path, key: str, device: torch.device) -> torch.Tensor:
        tensor: torch.Tensor = self._files[path].get_tensor(key)
        return tensor.to(device, torch.float32)


def merge_adapters(model: nn.Module, adapters: Sequence[Path]) -> None:
    """Add adapters, one after another, to a loaded thinker on its devices.

    Raise ConfigError as `Merge` does, before anything is changed.
    """
    if not adapters:
        return
    parameters = dict(model.named_parameters())
    shapes = collect_weight_shapes((name, tuple(p.shape)) for name, p in parameters.items())
    merge = Merge([read_adapter(adapter) for adapter in adapters], shapes)
    for name, parameter in parameters.items():
        merge.apply_to(name, parameter.data)
