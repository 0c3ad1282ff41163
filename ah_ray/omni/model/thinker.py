"""The thinker of Qwen3-Omni: one pass over a pack of clips, read where the answers are.

The pass computes no more than the answers need: in the last layer, the queries, the experts and
`lm_head` see those positions only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.interfaces.callbacks import MessageCallback, ignore_message
from ah_ray.omni.inputs.layout import PackLayout, copy_output
from ah_ray.omni.inputs.staging import PackInputs, StagedPack, Stager
from ah_ray.omni.model.attention import Segments
from ah_ray.omni.model.experts import RunExperts, choose_experts, run_by_torch
from ah_ray.omni.model.joined import join_projections
from ah_ray.omni.model.layers import Rotary, run_decoder_layer, run_vision_tower
from ah_ray.omni.model.loading import load_model

_CPU_CONVOLUTION_CHUNKS = 10  # so few at a time that their planes stay in the cache
_READS_AT_ONCE = 256
_SEEN_AT = ("position_ids", "interp_indices", "interp_weights")


@dataclass(frozen=True, slots=True, eq=False)
class _DeviceInputs:
    """What every layer on one device needs there."""

    rotary: Rotary
    segments: Segments
    key_rows: torch.Tensor | None
    video: torch.Tensor


class Thinker:
    """A loaded model on one device, or with its layers on several."""

    def __init__(
        self,
        model: Qwen3OmniMoeThinkerForConditionalGeneration,
        run_experts: RunExperts = run_by_torch,
    ):
        self._run_experts = run_experts
        self.config = model.config
        self._visual = model.model.visual
        self._audio_tower = model.model.audio_tower
        self._text = model.model.language_model
        self._lm_head = model.lm_head
        join_projections(self._text)
        self.device = self._text.embed_tokens.weight.device  # where a pack comes in
        self.devices = sorted({tensor.device for tensor in model.parameters()}, key=str)
        self._stager = Stager(self.device, self._visual.dtype)
        if self.device.type == "cpu":
            self._audio_tower.conv_chunksize = _CPU_CONVOLUTION_CHUNKS

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        arithmetic: Arithmetic,
        devices: Sequence[torch.device],
        adapters: Sequence[Path] = (),
        on_message: MessageCallback = ignore_message,
    ) -> Thinker:
        """Load the thinker of a checkpoint. Raise ConfigError as `load_model` does."""
        model = load_model(checkpoint, arithmetic, devices, adapters, on_message)
        return cls(model, choose_experts(model, on_message))

    def stage(
        self, frames: Sequence[np.ndarray], samples: Sequence[np.ndarray], layout: PackLayout
    ) -> StagedPack:
        """Bring a pack to the device while a pass runs; one thread at a time may call it.

        `frames` are n arrays [T, H, W, 3] uint8 and `samples` n arrays [N] float32, as in `layout`.
        """
        return self._stager.stage(frames, samples, layout)

    @torch.inference_mode()
    def compute_log_probabilities(self, inputs: PackInputs) -> torch.Tensor:
        """Return the log-probabilities [P] float32 of the layout's picks."""
        return self.compute_with_hidden(inputs)[0]

    @torch.inference_mode()
    def compute_with_hidden(self, inputs: PackInputs) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the log-probabilities [P] float32, and the hidden states [R, D] of all reads.

        The hidden states are those of the last layer, after its norm: what `lm_head` reads.
        """
        layout = inputs.layout
        embeds = self._text.embed_tokens(layout.ids)
        seen, deepstack = self._run_vision(inputs)
        embeds.index_copy_(0, layout.video, copy_output(seen, layout.video, layout.video_rows))
        for sounds, mels in zip(layout.sounds, inputs.mels, strict=True):
            if len(sounds.tokens):
                heard = self._audio_tower(padded_feature=mels, **sounds.tower).pooler_output
                embeds.index_copy_(0, sounds.tokens, copy_output(heard, sounds.tokens, sounds.rows))
        hidden = self._run_language_model(embeds, deepstack, layout)
        return self._pick_log_probabilities(hidden, layout), hidden

    def _pick_log_probabilities(self, hidden: torch.Tensor, layout: PackLayout) -> torch.Tensor:
        """Return log-probabilities [P] float32 from the hidden states [R, D] of all reads.

        Some reads at a time: a read has a number for each of 150,000 tokens.
        """
        found = []
        reads, tokens = layout.picked_reads, layout.picked_tokens
        parts = hidden.split(_READS_AT_ONCE)
        for number, part in enumerate(parts):
            logits: torch.Tensor = self._lm_head(part)
            log_p = logits.float().log_softmax(-1)
            if len(parts) == 1:
                return log_p[reads, tokens]
            first = number * _READS_AT_ONCE
            place = (reads - first).clamp(0, len(part) - 1)
            found.append(torch.where(place + first == reads, log_p[place, tokens], 0))
        return torch.stack(found).sum(0)

    def _run_vision(self, inputs: PackInputs) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """Return the video's tokens [Nv, D], and what is added to them after the first layers."""
        tower = inputs.layout.vision_inputs
        segments = Segments.for_self_attention(tower["cu_seqlens"], tower["max_seqlen"])
        places = {name: tower[name] for name in _SEEN_AT}
        return run_vision_tower(self._visual, inputs.rows, places, segments)

    def _run_language_model(
        self, hidden: torch.Tensor, deepstack: Sequence[torch.Tensor], layout: PackLayout
    ) -> torch.Tensor:
        """Return the hidden states [reads, D] of embeddings [S, D] after all layers."""
        inputs_on = self._make_device_inputs(hidden, layout)
        *layers, last = self._text.layers
        for depth, layer in enumerate(layers):
            inputs = inputs_on(layer.input_layernorm.weight.device)
            hidden = hidden.to(inputs.video.device)
            hidden = run_decoder_layer(
                layer,
                hidden,
                inputs.rotary,
                inputs.segments,
                self._run_experts,
                key_rows=inputs.key_rows,
            )
            if depth < len(deepstack):
                added = copy_output(deepstack[depth], layout.video, layout.video_rows)
                hidden.index_add_(0, inputs.video, added.to(hidden.device))
        device = last.input_layernorm.weight.device
        inputs, hidden = inputs_on(device), hidden.to(device)
        segments = replace(
            inputs.segments,
            queries=layout.read_boundaries.to(device),
            longest_query=layout.longest_read,
        )
        reads = layout.reads.to(device)
        last_hidden = run_decoder_layer(
            last, hidden, inputs.rotary, segments, self._run_experts, reads, inputs.key_rows
        )
        normed: torch.Tensor = self._text.norm(last_hidden)
        return normed

    def _make_device_inputs(
        self, hidden: torch.Tensor, layout: PackLayout
    ) -> Callable[[torch.device], _DeviceInputs]:
        cos, sin = (part[0] for part in self._text.rotary_emb(hidden[None], layout.positions))

        @cache
        def inputs_on(device: torch.device) -> _DeviceInputs:
            return _DeviceInputs(
                rotary=(cos.to(device), sin.to(device)),
                segments=Segments(
                    layout.boundaries.to(device),
                    layout.key_boundaries.to(device),
                    layout.longest,
                    layout.longest_key,
                ),
                key_rows=None if layout.key_rows is None else layout.key_rows.to(device),
                video=layout.video.to(device),
            )

        return inputs_on

    def release(self) -> None:
        """Wait for running work, and free memory that no tensor holds. Used after a failed pass."""
        for device in self.devices:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
                torch.cuda.empty_cache()
