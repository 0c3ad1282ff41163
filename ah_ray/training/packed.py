"""The thinker over packs with gradients: transformers' own modules, in the order of scoring.

Scoring runs its own kernels over the same weights (`ah_ray/omni/layers.py`); both agree with
transformers' forward to float32 rounding, which tests check for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.nn import functional as F
from transformers import DynamicCache, Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import load_balancing_loss_func

from ah_ray.omni.attention import PACKED
from ah_ray.omni.staging import Staged
from ah_ray.training.packs import Pack


class PackedThinker(nn.Module):
    """A module of its own, so that sharding can gather what lies outside the layers as well."""

    def __init__(self, thinker: Qwen3OmniMoeThinkerForConditionalGeneration, *, towers: bool):
        """`towers`: whether the vision and audio towers learn too."""
        super().__init__()
        self.thinker = thinker
        self._towers = towers
        self.routers: list[torch.Tensor] = []  # logits [S, E] of the last pass, layer by layer
        for layer in thinker.model.language_model.layers:
            if hasattr(layer.mlp, "gate") and hasattr(layer.mlp, "experts"):
                layer.mlp.gate.register_forward_hook(self._keep_router)

    @property
    def config(self):
        return self.thinker.config

    def forward(
        self, staged: Staged, reads: torch.Tensor, cache: DynamicCache | None = None
    ) -> torch.Tensor:
        """Logits [R, V] float32 of the next token at the positions `reads` [R].

        A `cache` keeps keys and values of a pack of one clip, for `read_on`.
        """
        self.routers.clear()
        model, layout = self.thinker.model, staged.layout
        text = model.language_model
        embeds = text.embed_tokens(layout.ids)
        with nullcontext() if self._towers else torch.no_grad():
            seen = model.visual(staged.rows, grid_thw=layout.grid, **layout.vision_tower)
            heard = [
                model.audio_tower(padded_feature=mels, **sounds.tower).pooler_output
                for sounds, mels in zip(layout.sounds, staged.mels, strict=True)
            ]
        embeds = embeds.index_copy(0, layout.video, seen.pooler_output.to(embeds.dtype))
        for sounds, tokens in zip(layout.sounds, heard, strict=True):
            embeds = embeds.index_copy(0, sounds.tokens, tokens.to(embeds.dtype))
        is_video = torch.zeros(len(layout.ids), dtype=torch.bool, device=embeds.device)
        is_video[layout.video] = True
        hidden = text(
            inputs_embeds=embeds[None],
            attention_mask=None,
            position_ids=layout.positions,
            past_key_values=cache,
            use_cache=cache is not None,
            visual_pos_masks=is_video[None],
            deepstack_visual_embeds=seen.deepstack_features,
            cu_seq_lens_q=layout.boundaries,
            cu_seq_lens_k=layout.boundaries,
            max_length_q=layout.longest,
            max_length_k=layout.longest,
        ).last_hidden_state[0]
        return self.thinker.lm_head(hidden[reads]).float()

    @contextmanager
    def unpacked(self) -> Iterator[None]:
        """While answers are drawn: rows that go on from one prompt, each with its own keys."""
        self.thinker.set_attn_implementation({"text_config": "sdpa"})
        try:
            yield
        finally:
            self.thinker.set_attn_implementation({"text_config": PACKED})

    def read_on(
        self, tokens: torch.Tensor, position: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """One more token a row [n, 1], all at the same position → logits [n, V] of the next."""
        text = self.thinker.model.language_model
        hidden = text(
            inputs_embeds=text.embed_tokens(tokens),
            position_ids=position.expand(3, len(tokens), 1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self.thinker.lm_head(hidden[:, -1]).float()

    def _keep_router(self, _module: nn.Module, _given: object, out: tuple) -> None:
        self.routers.append(out[0])


def answer_losses(model: PackedThinker, pack: Pack) -> torch.Tensor:
    """Cross-entropy [R] of each of the answers' tokens."""
    return F.cross_entropy(model(pack.staged, pack.reads), pack.targets, reduction="none")


def balance_loss(model: PackedThinker) -> torch.Tensor:
    """How unevenly the last pass used the experts (Switch Transformer, equations 4 to 6): top_k if
    all alike, more the less so."""
    text = model.config.text_config
    return load_balancing_loss_func(
        tuple(model.routers), text.num_experts, text.num_experts_per_tok
    )
