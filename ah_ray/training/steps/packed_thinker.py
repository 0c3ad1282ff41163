"""The thinker over packs with gradients: transformers' own modules, in the order of scoring.

Scoring runs its own kernels over the same weights (`ah_ray/omni/model/layers.py`). Both agree with
transformers' forward to float32 rounding, which tests check for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import (
    DynamicCache,
    Qwen3OmniMoeThinkerConfig,
    Qwen3OmniMoeThinkerForConditionalGeneration,
)
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import load_balancing_loss_func

from ah_ray.omni.inputs.config_parts import get_text_config
from ah_ray.omni.inputs.layout import copy_output
from ah_ray.omni.inputs.staging import PackInputs
from ah_ray.omni.model.attention import PACKED
from ah_ray.training.steps.packs import Pack

_READS_AT_ONCE = 256


class PackedThinker(nn.Module):
    """A module of its own, so that sharding also gathers what lies outside the layers."""

    def __init__(self, thinker: Qwen3OmniMoeThinkerForConditionalGeneration, *, towers: bool):
        """Wrap a thinker; with `towers`, its vision and audio towers are trained too."""
        super().__init__()
        self.thinker = thinker
        self._towers = towers
        self.routers: list[torch.Tensor] = []  # logits [S, E] of the last pass, layer by layer
        for layer in thinker.model.language_model.layers:
            if hasattr(layer.mlp, "gate") and hasattr(layer.mlp, "experts"):
                layer.mlp.gate.register_forward_hook(self._keep_router)

    @property
    def config(self) -> Qwen3OmniMoeThinkerConfig:
        return self.thinker.config

    def forward(
        self, inputs: PackInputs, reads: torch.Tensor, cache: DynamicCache | None = None
    ) -> torch.Tensor:
        """Return logits [R, V] of the next token at the positions `reads` [R], in the model's type.

        A `cache` keeps keys and values of a pack of one clip, for `continue_answers`.
        """
        self.routers.clear()
        model, layout = self.thinker.model, inputs.layout
        text = model.language_model
        embeds = text.embed_tokens(layout.ids)
        with nullcontext() if self._towers else torch.no_grad():
            seen = model.visual(inputs.rows, grid_thw=layout.grid, **layout.vision_inputs)
            heard = [
                model.audio_tower(padded_feature=mels, **sounds.tower).pooler_output
                for sounds, mels in zip(layout.sounds, inputs.mels, strict=True)
            ]
        places, rows = layout.video, layout.video_rows
        shown = copy_output(seen.pooler_output.to(embeds.dtype), places, rows)
        embeds = embeds.index_copy(0, places, shown)
        for sounds, tokens in zip(layout.sounds, heard, strict=True):
            played = copy_output(tokens.to(embeds.dtype), sounds.tokens, sounds.rows)
            embeds = embeds.index_copy(0, sounds.tokens, played)
        with _deepstack_by_places(text):
            hidden = text(
                inputs_embeds=embeds[None],
                attention_mask=None,
                position_ids=layout.positions,
                past_key_values=cache,
                use_cache=cache is not None,
                visual_pos_masks=layout.video,
                deepstack_visual_embeds=[
                    copy_output(features, places, rows) for features in seen.deepstack_features
                ],
                cu_seq_lens_q=layout.boundaries,
                cu_seq_lens_k=layout.key_boundaries,
                max_length_q=layout.longest,
                max_length_k=layout.longest_key,
                key_rows=layout.key_rows,
            ).last_hidden_state[0]
        logits: torch.Tensor = self.thinker.lm_head(hidden[reads])
        return logits

    @contextmanager
    def use_unpacked_attention(self) -> Iterator[None]:
        """Use plain attention while answers are drawn: rows that continue one prompt."""
        self.thinker.set_attn_implementation({"text_config": "sdpa"})
        try:
            yield
        finally:
            self.thinker.set_attn_implementation({"text_config": PACKED})

    def continue_answers(
        self, tokens: torch.Tensor, position: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """Return logits [n, V] after one more token a row [n, 1], all at the same position."""
        text = self.thinker.model.language_model
        hidden = text(
            inputs_embeds=text.embed_tokens(tokens),
            position_ids=position.expand(3, len(tokens), 1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        logits: torch.Tensor = self.thinker.lm_head(hidden[:, -1])
        return logits.float()

    def _keep_router(
        self, _module: nn.Module, _given: object, out: tuple[torch.Tensor, ...]
    ) -> None:
        self.routers.append(out[0])


@contextmanager
def _deepstack_by_places(text: Any) -> Iterator[None]:
    """Have a language model add the vision tower's features at places instead of by a mask.

    A GPU must count a mask before the CPU can go on: one wait for each layer.
    """
    text._deepstack_process = _add_features
    try:
        yield
    finally:
        del text._deepstack_process  # the method of its class is back


def _add_features(
    hidden: torch.Tensor, video: torch.Tensor, features: torch.Tensor
) -> torch.Tensor:
    """Return hidden states [1, S, D] with features [Nv, D] added at `video` [Nv]."""
    return hidden.index_add(1, video, features.to(hidden.dtype)[None])


def compute_answer_losses(model: PackedThinker, pack: Pack) -> torch.Tensor:
    """Return the cross-entropy [R] float32 of each token of the answers, of all lines.

    Some reads at a time, and computed again for the backward pass: a read has a number for each of
    150,000 tokens, and many questions have many reads.
    """
    parts = zip(
        model(pack.inputs, pack.reads).split(_READS_AT_ONCE),
        pack.targets.split(_READS_AT_ONCE),
        strict=True,
    )
    if len(pack.targets) <= _READS_AT_ONCE:
        return torch.cat([_compute_losses(*part) for part in parts])
    return torch.cat([checkpoint(_compute_losses, *part, use_reentrant=False) for part in parts])


def _compute_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.float(), targets, reduction="none")


def compute_balance_loss(model: PackedThinker) -> torch.Tensor:
    """Return how unevenly the last pass used the experts: top_k if equally, more if not.

    Source: Switch Transformer, equations 4 to 6.
    """
    text = get_text_config(model.config)
    routers: Any = tuple(model.routers)  # declared as a tuple of one
    loss = load_balancing_loss_func(routers, text.num_experts, text.num_experts_per_tok)
    assert isinstance(loss, torch.Tensor)
    return loss
