"""Attention over a pack that stays inside each clip, ours and registered with transformers.

On a GPU it is one kernel: flash-attn's where that is installed, else torch's own. The registered
name must contain "flash": only then do transformers' towers hand over a layer's whole pack in one
call, with its segment boundaries, instead of looping over segments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from itertools import groupby

import torch
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface

PACKED = "packed_flash"


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Where each segment begins, in queries and in keys; with causal attention the queries are
    the last ones of their segment."""

    queries: torch.Tensor  # [n + 1] int32, the last is their number
    keys: torch.Tensor
    longest_query: int
    longest_key: int

    @classmethod
    def same(cls, boundaries: torch.Tensor, longest: int) -> Segments:
        return cls(boundaries, boundaries, longest, longest)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    segments: Segments,
    *,
    scale: float | None,
    causal: bool,
) -> torch.Tensor:
    """[Sq, H, D], and keys and values [Sk, Hkv, D] → [Sq, H, D]."""
    if query.is_cuda and query.dtype != torch.float32:
        return gpu_kernel()(query, key, value, segments, scale, causal)
    return _per_segment(query, key, value, segments, scale, causal)


def packed_attention(
    module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    cu_seq_lens_k: torch.Tensor | None = None,
    max_length_q: int | None = None,
    max_length_k: int | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """`attend` as transformers calls it: [1, H, S, D] → [1, S, H, D].

    Without boundaries clips would leak into one another in silence, so there are none to default
    to.
    """
    if cu_seq_lens_q is None or cu_seq_lens_k is None or attention_mask is not None:
        raise RuntimeError("packed attention takes segment boundaries, and no mask")
    attended = attend(
        *(tensor[0].transpose(0, 1) for tensor in (query, key, value)),
        Segments(cu_seq_lens_q, cu_seq_lens_k, max_length_q, max_length_k),
        scale=scaling,
        causal=module.is_causal if is_causal is None else is_causal,
    )
    return attended[None], None


AttentionInterface.register(PACKED, packed_attention)


@cache
def gpu_kernel() -> Callable:
    """The fastest that is installed: flash-attn 3, flash-attn 2, or torch's own."""
    for module, kernel in (("flash_attn_interface", _flash_attn_3), ("flash_attn", _flash_attn_2)):
        if find_spec(module) is not None:
            return kernel
    return _torch


def _flash_attn_3(query, key, value, segments: Segments, scale, causal: bool) -> torch.Tensor:
    attended = import_module("flash_attn_interface").flash_attn_varlen_func(
        query,
        key,
        value,
        cu_seqlens_q=segments.queries,
        cu_seqlens_k=segments.keys,
        max_seqlen_q=segments.longest_query,
        max_seqlen_k=segments.longest_key,
        softmax_scale=scale,
        causal=causal,
        num_splits=1,  # a result does not depend on the pack
    )
    return attended[0] if isinstance(attended, tuple) else attended  # early ones add the sums


def _flash_attn_2(query, key, value, segments: Segments, scale, causal: bool) -> torch.Tensor:
    """Without a paged cache it never splits keys, so a result does not depend on the pack."""
    return import_module("flash_attn").flash_attn_varlen_func(
        query,
        key,
        value,
        cu_seqlens_q=segments.queries,
        cu_seqlens_k=segments.keys,
        max_seqlen_q=segments.longest_query,
        max_seqlen_k=segments.longest_key,
        softmax_scale=scale,
        causal=causal,
    )


@cache
def _varlen_attn() -> tuple[Callable, dict[str, object]]:
    """torch's own, and what of this it takes: before 2.12 it had neither, and its kernel shared
    heads and did not split keys by itself."""
    from torch.nn.attention.varlen import varlen_attn  # no CPU build has its kernel

    wanted = {
        "enable_gqa": True,
        "num_splits": 1,  # a result does not depend on the pack
    }
    known = signature(varlen_attn).parameters
    return varlen_attn, {name: value for name, value in wanted.items() if name in known}


def _torch(query, key, value, segments: Segments, scale, causal: bool) -> torch.Tensor:
    varlen_attn, options = _varlen_attn()
    return varlen_attn(
        query,
        key,
        value,
        segments.queries,
        segments.keys,
        segments.longest_query,
        segments.longest_key,
        scale=scale,
        window_size=(-1, 0) if causal else (-1, -1),
        **options,
    )


def _per_segment(query, key, value, segments: Segments, scale, causal: bool) -> torch.Tensor:
    """SDPA segment by segment; neighbours of equal length are one batch."""
    lengths = zip(segments.queries.diff().tolist(), segments.keys.diff().tolist(), strict=True)
    outputs: list[torch.Tensor] = []
    start_q = start_k = 0
    for (n_q, n_k), run in groupby(lengths):
        n = len(list(run))
        stop_q, stop_k = start_q + n * n_q, start_k + n * n_k
        parts = (query[start_q:stop_q], key[start_k:stop_k], value[start_k:stop_k])
        attended = F.scaled_dot_product_attention(
            *(part.unflatten(0, (n, -1)).transpose(1, 2) for part in parts),  # [n, H, L, D]
            attn_mask=causal_lower_right(n_q, n_k) if causal and n_q < n_k else None,
            is_causal=causal and n_q == n_k,
            scale=scale,
            enable_gqa=True,
        )
        outputs.append(attended.transpose(1, 2).flatten(0, 1))  # [n · L, H, D]
        start_q, start_k = stop_q, stop_k
    return torch.cat(outputs)
