"""Attention over a pack that stays inside each clip, registered with transformers.

The name must contain "flash": only then do transformers' towers hand over a layer's whole pack in
one call, with its segment boundaries, instead of looping over segments.
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface

PACKED = "packed_flash"


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
    **_,
) -> tuple[torch.Tensor, None]:
    """query [1, H, Sq, D], key and value [1, Hkv, Sk, D] → ([1, Sq, H, D], None).

    `cu_seq_lens_q` and `cu_seq_lens_k` [n + 1] int32 are the segments' boundaries in Sq and Sk,
    `max_length_…` the longest. A segment with fewer queries than keys has its last ones.
    Raises RuntimeError without boundaries: clips would leak into one another in silence.
    """
    if cu_seq_lens_q is None or cu_seq_lens_k is None or attention_mask is not None:
        raise RuntimeError("packed attention takes segment boundaries, and no mask")
    states = (query, key, value)
    boundaries = (cu_seq_lens_q, cu_seq_lens_k)
    causal = module.is_causal if is_causal is None else is_causal
    if query.is_cuda and query.dtype != torch.float32:
        longest = (max_length_q, max_length_k)
        return _varlen(states, boundaries, longest, scaling, causal), None
    return _per_segment(states, boundaries, scaling, causal), None


AttentionInterface.register(PACKED, packed_attention)


def _varlen(states, boundaries, longest, scaling, causal: bool) -> torch.Tensor:
    """One kernel over all segments; `num_splits=1` so that a result does not depend on the pack."""
    from torch.nn.attention.varlen import varlen_attn  # no CPU build has its kernel

    attended = varlen_attn(
        *(tensor[0].transpose(0, 1) for tensor in states),
        *boundaries,
        *longest,
        scale=scaling,
        window_size=(-1, 0) if causal else (-1, -1),
        enable_gqa=True,
        num_splits=1,
    )
    return attended[None]


def _per_segment(states, boundaries, scaling, causal: bool) -> torch.Tensor:
    """SDPA segment by segment; neighbours of equal length are one batch."""
    lengths = zip(*(edges.diff().tolist() for edges in boundaries), strict=True)
    outputs: list[torch.Tensor] = []
    start_q = start_k = 0
    for (n_q, n_k), run in groupby(lengths):
        n = len(list(run))
        stop_q, stop_k = start_q + n * n_q, start_k + n * n_k
        query, key, value = (  # [1, H, n · L, D] → [n, H, L, D]
            tensor[0, :, start:stop].unflatten(1, (n, length)).transpose(0, 1)
            for tensor, start, stop, length in zip(
                states,
                (start_q, start_k, start_k),
                (stop_q, stop_k, stop_k),
                (n_q, n_k, n_k),
                strict=True,
            )
        )
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=causal_lower_right(n_q, n_k) if causal and n_q < n_k else None,
            is_causal=causal and n_q == n_k,
            scale=scaling,
            enable_gqa=True,
        )
        outputs.append(attended.transpose(1, 2).flatten(0, 1))  # [n · L, H, D]
        start_q, start_k = stop_q, stop_k
    return torch.cat(outputs)[None]
