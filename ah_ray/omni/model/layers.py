"""A decoder layer and the vision tower over packs, with the weights of transformers.

They differ from transformers' own forward in four ways: a pack is one row of tokens; attention
stays inside each clip; a layer may compute some positions only; and everything that is not a matrix
product is fused. A patch is embedded by a matrix product, because its convolution sees it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from ah_ray.omni.model.attention import Segments, attend
from ah_ray.omni.model.experts import RunExperts
from ah_ray.omni.model.fused_ops import (
    interpolate,
    norm_and_rotate,
    rms_norm,
    rotate,
)
from ah_ray.omni.model.joined import apply_linears

Rotary = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines [S, D] of the positions."""


def run_decoder_layer(
    layer: Any,
    hidden: torch.Tensor,
    rotary: Rotary,
    segments: Segments,
    run_experts: RunExperts,
    reads: torch.Tensor | None = None,
    key_rows: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return hidden states [S, D] after a layer; with `reads`, only of those positions: [reads, D].

    Keys and values are computed for all S positions in both cases. `key_rows` [K] are the positions
    of the segments' keys, where those are not the S positions themselves.
    """
    attention = layer.self_attn
    normed = rms_norm(hidden, layer.input_layernorm.weight, layer.input_layernorm.variance_epsilon)
    if reads is None:
        query, key, value = apply_linears(
            normed, attention.q_proj, attention.k_proj, attention.v_proj
        )
        asked_rotary = rotary
    else:
        (query,) = apply_linears(normed[reads], attention.q_proj)
        key, value = apply_linears(normed, attention.k_proj, attention.v_proj)
        hidden, asked_rotary = hidden[reads], (rotary[0][reads], rotary[1][reads])
    keys = _split_heads(key, attention.k_norm, rotary)
    values = value.unflatten(-1, (-1, attention.head_dim))
    if key_rows is not None:
        keys, values = keys[key_rows], values[key_rows]
    attended = attend(
        _split_heads(query, attention.q_norm, asked_rotary),
        keys,
        values,
        segments,
        scale=attention.scaling,
        causal=True,
    )
    hidden = hidden + attention.o_proj(attended.flatten(1))
    after = layer.post_attention_layernorm
    return hidden + _run_feed_forward(
        layer.mlp, rms_norm(hidden, after.weight, after.variance_epsilon), run_experts
    )


def _split_heads(projected: torch.Tensor, norm: Any, rotary: Rotary) -> torch.Tensor:
    heads = projected.unflatten(-1, (-1, norm.weight.shape[0]))
    return norm_and_rotate(heads, norm.weight, norm.variance_epsilon, *rotary)


def _run_feed_forward(mlp: Any, x: torch.Tensor, run_experts: RunExperts) -> torch.Tensor:
    """Apply a layer's experts, or its one dense network: [S, D] → [S, D]."""
    if not hasattr(mlp, "experts"):
        gates, ups = apply_linears(x, mlp.gate_proj, mlp.up_proj)
        dense: torch.Tensor = mlp.down_proj(F.silu(gates) * ups)
        return dense
    _, shares, chosen = mlp.gate(x)
    return run_experts(mlp.experts, x, shares, chosen)


def run_vision_tower(
    tower: Any, rows: torch.Tensor, places: dict[str, torch.Tensor], segments: Segments
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """Return a video's tokens [N / 4, D] for patch rows [N, 1536], and as many per deepstack layer.

    `places` holds position_ids, interp_indices and interp_weights of transformers' vision tower.
    """
    embed = tower.patch_embed.proj
    hidden = F.linear(rows.to(embed.weight.dtype), embed.weight.flatten(1), embed.bias)
    hidden = hidden + interpolate(
        tower.pos_embed.weight, places["interp_indices"], places["interp_weights"]
    )
    rotary = tower.rotary_pos_emb(hidden, places["position_ids"])
    deepstack: list[torch.Tensor] = []
    for depth, block in enumerate(tower.blocks):
        hidden = hidden + _attend_patches(block.attn, block.norm1(hidden), rotary, segments)
        hidden = hidden + block.mlp(block.norm2(hidden))
        if depth in tower.deepstack_visual_indexes:
            deepstack.append(tower.merger_list[len(deepstack)](hidden))
    return tower.merger(hidden), deepstack


def _attend_patches(
    attention: Any, hidden: torch.Tensor, rotary: Rotary, segments: Segments
) -> torch.Tensor:
    query, key, value = attention.qkv(hidden).unflatten(-1, (3, attention.num_heads, -1)).unbind(1)
    attended = attend(
        rotate(query, *rotary),
        rotate(key, *rotary),
        value,
        segments,
        scale=attention.scaling,
        causal=False,
    )
    projected: torch.Tensor = attention.proj(attended.flatten(1))
    return projected
