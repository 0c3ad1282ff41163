"""The thinker of Qwen3-Omni: one pass over a pack of clips, read where the answers are.

The pass stops at the answer: the last layer's queries and experts, and `lm_head`, see those
positions only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.config import Arithmetic
from ah_ray.omni.attention import Segments
from ah_ray.omni.layers import Rotary, decoder_layer, see
from ah_ray.omni.layout import PackLayout
from ah_ray.omni.loading import load_model
from ah_ray.omni.local_copy import Say
from ah_ray.omni.staging import Staged, Stager

_CPU_CONVOLUTION_CHUNKS = 10  # at a time: their planes stay in the cache
_SEEN_AT = ("position_ids", "interp_indices", "interp_weights")


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """What every layer on one device needs to have there."""

    rotary: Rotary
    segments: Segments
    video: torch.Tensor


class Thinker:
    """A loaded model on one device, or in runs of layers on several."""

    def __init__(self, model: Qwen3OmniMoeThinkerForConditionalGeneration):
        self.config = model.config
        self._visual = model.model.visual
        self._audio_tower = model.model.audio_tower
        self._text = model.model.language_model
        self._lm_head = model.lm_head
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
        say: Say = lambda _: None,
    ) -> Thinker:
        """The thinker of a checkpoint; raises ConfigError as `load_model` does."""
        return cls(load_model(checkpoint, arithmetic, devices, adapters, say))

    def stage(self, frames, samples, layout: PackLayout) -> Staged:
        """Bring a pack to the device, beside a pass that runs; one thread at a time.

        `frames` are n of [T, H, W, 3] uint8, `samples` n of [N] float32, as laid out.
        """
        return self._stager.stage(frames, samples, layout)

    @torch.inference_mode()
    def log_probabilities(self, staged: Staged) -> torch.Tensor:
        """Log-probabilities [n, n_reads, V] float32 of the next token where answers are read."""
        if staged.copied is not None:
            torch.cuda.current_stream(self.device).wait_event(staged.copied)
        layout = staged.layout
        embeds = self._text.embed_tokens(layout.ids)
        seen, deepstack = self._see(staged)
        embeds.index_copy_(0, layout.video, seen)
        for sounds, mels in zip(layout.sounds, staged.mels, strict=True):
            heard = self._audio_tower(padded_feature=mels, **sounds.tower)
            embeds.index_copy_(0, sounds.tokens, heard.pooler_output)
        hidden = self._read_on(embeds, deepstack, layout)
        logits = self._lm_head(hidden)
        return logits.float().log_softmax(-1).unflatten(0, (-1, layout.n_reads))

    def _see(self, staged: Staged) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """The picture's tokens [Nv, D], and what is added to them after the first layers."""
        tower = staged.layout.vision_tower
        segments = Segments.same(tower["cu_seqlens"], tower["max_seqlen"])
        places = {name: tower[name] for name in _SEEN_AT}
        return see(self._visual, staged.rows, places, segments)

    def _read_on(self, hidden: torch.Tensor, deepstack, layout: PackLayout) -> torch.Tensor:
        """Through the language model: embeddings [S, D] → hidden states [reads, D]."""
        place_on = self._places(hidden, layout)
        *layers, last = self._text.layers
        for depth, layer in enumerate(layers):
            place = place_on(layer.input_layernorm.weight.device)
            hidden = hidden.to(place.video.device)
            hidden = decoder_layer(layer, hidden, place.rotary, place.segments)
            if depth < len(deepstack):
                hidden.index_add_(0, place.video, deepstack[depth].to(hidden.device))
        device = last.input_layernorm.weight.device
        hidden, boundaries = hidden.to(device), layout.boundaries.to(device)
        segments = Segments(
            layout.read_boundaries.to(device), boundaries, layout.n_reads, layout.longest
        )
        reads = layout.reads.to(device)
        return self._text.norm(
            decoder_layer(last, hidden, place_on(device).rotary, segments, reads)
        )

    def _places(self, hidden: torch.Tensor, layout: PackLayout) -> Callable:
        cos, sin = (part[0] for part in self._text.rotary_emb(hidden[None], layout.positions))

        @cache
        def place_on(device: torch.device) -> _Place:
            return _Place(
                rotary=(cos.to(device), sin.to(device)),
                segments=Segments.same(layout.boundaries.to(device), layout.longest),
                video=layout.video.to(device),
            )

        return place_on

    def release(self) -> None:
        """Wait for what runs, and give back memory that no tensor holds; after a failed pass."""
        for device in self.devices:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
                torch.cuda.empty_cache()
