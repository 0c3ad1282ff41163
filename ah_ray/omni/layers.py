"""A decoder layer and the vision tower, over packs: transformers' weights in an order that suits.

What differs from transformers' own forward: a pack is one row of tokens; attention stays inside
each clip; a layer may be asked about some positions only; all that is not a matrix product is
fused; and a patch, which its convolution sees once, is embedded by a plain matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from ah_ray.omni.attention import Segments, attend
from ah_ray.omni.fp8 import Fp8Experts, Fp8Linear
from ah_ray.omni.fused import (
    combine,
    gate,
    interpolate,
    norm_and_rotate,
    quantise,
    rms_norm,
    rotate,
)

Rotary = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines [S, D] of the positions."""


def decoder_layer(
    layer,
    hidden: torch.Tensor,
    rotary: Rotary,
    segments: Segments,
    reads: torch.Tensor | None = None,
) -> torch.Tensor:
    """[S, D] → [S, D]; with `reads`, of those positions only: [reads, D].

    Keys and values are of all S positions either way.
    """
    attention = layer.self_attn
    normed = rms_norm(hidden, layer.input_layernorm.weight, layer.input_layernorm.variance_epsilon)
    if reads is None:
        query, key, value = _products(normed, attention.q_proj, attention.k_proj, attention.v_proj)
        asked_rotary = rotary
    else:
        (query,) = _products(normed[reads], attention.q_proj)
        key, value = _products(normed, attention.k_proj, attention.v_proj)
        hidden, asked_rotary = hidden[reads], (rotary[0][reads], rotary[1][reads])
    attended = attend(
        _heads(query, attention.q_norm, asked_rotary),
        _heads(key, attention.k_norm, rotary),
        value.unflatten(-1, (-1, attention.head_dim)),
        segments,
        scale=attention.scaling,
        causal=True,
    )
    hidden = hidden + attention.o_proj(attended.flatten(1))
    after = layer.post_attention_layernorm
    return hidden + _feed_forward(layer.mlp, rms_norm(hidden, after.weight, after.variance_epsilon))


def _products(x: torch.Tensor, *linears) -> list[torch.Tensor]:
    """x through several linear layers; in fp8 it is quantised once for all of them."""
    if isinstance(linears[0], Fp8Linear):
        quantised = quantise(x)
        return [linear.multiply(*quantised) for linear in linears]
    return [linear(x) for linear in linears]


def _heads(projected: torch.Tensor, norm, rotary: Rotary) -> torch.Tensor:
    heads = projected.unflatten(-1, (-1, norm.weight.shape[0]))
    return norm_and_rotate(heads, norm.weight, norm.variance_epsilon, *rotary)


def _feed_forward(mlp, x: torch.Tensor) -> torch.Tensor:
    """A layer's experts, or its one dense network: [S, D] → [S, D].

    Tokens are sorted by expert, so that each of the two products is one kernel over all experts.
    """
    if not hasattr(mlp, "experts"):
        gates, ups = _products(x, mlp.gate_proj, mlp.up_proj)
        return mlp.down_proj(F.silu(gates) * ups)
    _, weights, chosen = mlp.gate(x)
    expert, order = chosen.flatten().sort(stable=True)
    numbers = torch.arange(mlp.gate.num_experts, device=x.device)
    ends = torch.searchsorted(expert, numbers, right=True, out_int32=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=x.device)
    token = order // chosen.shape[1]
    if isinstance(mlp.experts, Fp8Experts):
        said = mlp.experts(x, token, ends)
    else:
        gate_up = F.grouped_mm(x[token], mlp.experts.gate_up_proj.mT, offs=ends)
        said = F.grouped_mm(gate(gate_up), mlp.experts.down_proj.mT, offs=ends)
    return combine(said, place.view_as(chosen), weights)


def see(
    tower, rows: torch.Tensor, places: dict[str, torch.Tensor], segments: Segments
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """Patch rows [N, 1536] → the picture's tokens [N / 4, D], and as many for each deepstack layer.

    `places`: position_ids, interp_indices and interp_weights of transformers' vision tower.
    """
    embed = tower.patch_embed.proj
    hidden = F.linear(rows.to(embed.weight.dtype), embed.weight.flatten(1), embed.bias)
    hidden = hidden + interpolate(
        tower.pos_embed.weight, places["interp_indices"], places["interp_weights"]
    )
    rotary = tower.rotary_pos_emb(hidden, places["position_ids"])
    deepstack: list[torch.Tensor] = []
    for depth, block in enumerate(tower.blocks):
        hidden = hidden + _look(block.attn, block.norm1(hidden), rotary, segments)
        hidden = hidden + block.mlp(block.norm2(hidden))
        if depth in tower.deepstack_visual_indexes:
            deepstack.append(tower.merger_list[len(deepstack)](hidden))
    return tower.merger(hidden), deepstack


def _look(attention, hidden: torch.Tensor, rotary: Rotary, segments: Segments) -> torch.Tensor:
    query, key, value = attention.qkv(hidden).unflatten(-1, (3, attention.num_heads, -1)).unbind(1)
    attended = attend(
        rotate(query, *rotary),
        rotate(key, *rotary),
        value,
        segments,
        scale=attention.scaling,
        causal=False,
    )
    return attention.proj(attended.flatten(1))
