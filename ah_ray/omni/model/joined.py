"""Query, key and value by one product: their weights are rows of one matrix, in place.

Three products of 4,096, 512 and 512 outputs fill a GPU less evenly than one of 5,120, and each
reads the same tokens. The layers keep their own weights, as parts of one piece of memory, so what
reads or changes a weight finds it as ever, and nothing is held twice. Whether weights lie one after
another is looked up when they are used: a weight that was replaced is multiplied alone.

On a CPU nothing is joined, so that its scores stay the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ah_ray.omni.model.fp8 import Fp8Linear, multiply_fp8
from ah_ray.omni.model.fused_ops import quantise


def join_projections(text: Any) -> None:
    """Put the weights of each layer's query, key and value one after another, unless on a CPU.

    Each layer takes the memory of its three weights once more while it is joined.
    """
    for layer in text.layers:
        attention = layer.self_attn
        linears = [attention.q_proj, attention.k_proj, attention.v_proj]
        if may_join(linears):
            join_linears(linears)


def may_join(linears: Sequence[Any]) -> bool:
    """Return whether these layers are all of a kind that can be joined, and not on a CPU."""
    kinds = {type(linear) for linear in linears}
    if kinds not in ({nn.Linear}, {Fp8Linear}) or any(one.bias is not None for one in linears):
        return False
    return all(linear.weight.device.type != "cpu" for linear in linears)


def join_linears(linears: Sequence[Any]) -> None:
    """Move the weights of layers of one width, and their scales, into one piece of memory."""
    for name in ("weight", "scale") if isinstance(linears[0], Fp8Linear) else ("weight",):
        parts = [getattr(linear, name) for linear in linears]
        if find_joined(parts) is not None:
            continue
        joined = torch.cat([part.detach() for part in parts])
        for part, its in zip(parts, joined.split([len(part) for part in parts]), strict=True):
            part.data = its


def find_joined(parts: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Return tensors [N1, …], [N2, …] that lie one after another as one [N1 + N2, …], or None."""
    first = parts[0].detach()
    storage, offset = first.untyped_storage().data_ptr(), first.storage_offset()
    for part in parts:
        is_next = (part.untyped_storage().data_ptr(), part.storage_offset()) == (storage, offset)
        if not is_next or not part.is_contiguous() or part.shape[1:] != first.shape[1:]:
            return None
        offset += part.numel()
    shape = (sum(len(part) for part in parts), *first.shape[1:])
    return first.as_strided(shape, first.stride())


def apply_linears(x: torch.Tensor, *linears: Any) -> list[torch.Tensor]:
    """Apply several linear layers to x, by one product if their weights are joined.

    In fp8, x is quantised once for all of them.
    """
    sizes = [len(linear.weight) for linear in linears]
    joined = find_joined([one.weight for one in linears]) if may_join(linears) else None
    if not isinstance(linears[0], Fp8Linear):
        if joined is None:
            return [linear(x) for linear in linears]
        return list(F.linear(x, joined).split(sizes, -1))
    quantised = quantise(x)
    scale = None if joined is None else find_joined([linear.scale for linear in linears])
    if joined is None or scale is None:
        return [linear.multiply(*quantised) for linear in linears]
    return list(multiply_fp8(*quantised, joined, scale).split(sizes, -1))
