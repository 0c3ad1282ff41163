"""The thinker of Qwen3-Omni: one pass over a pack of clips, read where the answers are.

The modules are transformers' own; this file only calls them in an order that packs clips, and
stops at the answer: the last layer's queries and experts, and `lm_head`, see those positions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import apply_rotary_pos_emb
from transformers.utils import logging

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni import audio, vision
from ah_ray.omni.attention import PACKED, packed_attention
from ah_ray.omni.layout import PackLayout
from ah_ray.omni.merging import merge_into

DTYPES = {Arithmetic.FLOAT32: torch.float32, Arithmetic.BF16: torch.bfloat16}
_CPU_CONVOLUTION_CHUNKS = 10  # at a time: their planes stay in the cache
_RECOMPUTED = ("rotary_emb.inv_freq",)  # buffers that old checkpoints carry


class Thinker:
    """A loaded model on one device."""

    def __init__(self, model: Qwen3OmniMoeThinkerForConditionalGeneration, device: torch.device):
        self.config = model.config
        self.device = device
        self._visual = model.model.visual
        self._audio_tower = model.model.audio_tower
        self._text = model.model.language_model
        self._lm_head = model.lm_head
        if device.type == "cpu":
            self._audio_tower.conv_chunksize = _CPU_CONVOLUTION_CHUNKS

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        arithmetic: Arithmetic,
        device: torch.device,
        adapters: Sequence[Path] = (),
    ) -> Thinker:
        """Load the thinker of a checkpoint; its talker, if there is one, is left on disk.

        Adapters are merged in, one after another. Raises ConfigError if the weights, or theirs, and
        the architecture do not match in every tensor.
        """
        with _quiet_transformers():
            try:
                model, report = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(
                    checkpoint,
                    dtype=DTYPES[arithmetic],
                    device_map={"": device},
                    use_safetensors=True,
                    local_files_only=True,
                    trust_remote_code=False,
                    ignore_mismatched_sizes=True,  # they come in the report, with their names
                    output_loading_info=True,
                )
            except (OSError, ValueError, RuntimeError, SafetensorError) as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise ConfigError(
                        f"--model {checkpoint} does not fit on {device}: {_first_line(error)}"
                    ) from error
                raise ConfigError(
                    f"--model {checkpoint} cannot be loaded: {_first_line(error)}"
                ) from error
        _check_report(checkpoint, report)
        _check_sizes(checkpoint, model.config)
        merge_into(model, adapters)
        model.eval().requires_grad_(False)
        parts = ("text_config", "vision_config", "audio_config")
        model.set_attn_implementation(dict.fromkeys(parts, PACKED))
        return cls(model, device)

    @torch.inference_mode()
    def log_probabilities(
        self,
        frames: Sequence[torch.Tensor],
        samples: Sequence[torch.Tensor],
        layout: PackLayout,
    ) -> torch.Tensor:
        """Log-probabilities [n, n_reads, V] float32 of the next token where answers are read.

        `frames` are n of [T, H, W, 3] uint8, `samples` n of [N] float32, as laid out.
        """
        embeds = self._text.embed_tokens(layout.ids.to(self.device))
        video = layout.video.to(self.device)
        seen, deepstack = self._see(frames, layout)
        embeds.index_copy_(0, video, seen)
        for tokens, heard in self._hear(samples, layout):
            embeds.index_copy_(0, tokens, heard)
        hidden = self._read_on(embeds[None], video, deepstack, layout)
        logits = self._lm_head(hidden[0])
        return logits.float().log_softmax(-1).unflatten(0, (-1, layout.n_reads))

    def _see(self, frames, layout: PackLayout) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The picture's tokens [Nv, D], and what is added to them after the first layers."""
        rows = [vision.patches(clip.to(self.device, non_blocking=True)) for clip in frames]
        seen = self._visual(
            torch.cat(rows).to(self._visual.dtype),
            grid_thw=layout.grid,
            **_on(self.device, layout.vision_tower),
        )
        return seen.pooler_output, seen.deepstack_features

    def _hear(self, samples, layout: PackLayout) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(where, what) of the sound's tokens [Na, D], one call of the tower at a time."""
        for sounds in layout.sounds:
            mels = [audio.log_mel(samples[i].to(self.device)) for i in sounds.clips]
            heard = self._audio_tower(
                padded_feature=torch.cat([audio.chunks(mel) for mel in mels]),
                **_on(self.device, sounds.tower),
            )
            yield sounds.tokens.to(self.device), heard.pooler_output

    def _read_on(self, hidden, video, deepstack, layout: PackLayout) -> torch.Tensor:
        """Through the language model: embeddings [1, S, D] → hidden states [1, reads, D]."""
        rotary = self._text.rotary_emb(hidden, layout.positions.to(self.device))
        boundaries = layout.boundaries.to(self.device)
        segments = {
            "cu_seq_lens_q": boundaries,
            "cu_seq_lens_k": boundaries,
            "max_length_q": layout.longest,
            "max_length_k": layout.longest,
        }
        *layers, last = self._text.layers
        for depth, layer in enumerate(layers):
            hidden = layer(hidden, position_embeddings=rotary, **segments)
            if depth < len(deepstack):
                hidden[0].index_add_(0, video, deepstack[depth])
        segments["cu_seq_lens_q"] = layout.read_boundaries.to(self.device)
        segments["max_length_q"] = layout.n_reads
        hidden = _last_layer(last, hidden, rotary, layout.reads.to(self.device), segments)
        return self._text.norm(hidden)


def _last_layer(layer, hidden, rotary, reads: torch.Tensor, segments: dict) -> torch.Tensor:
    """A decoder layer whose keys and values are of all S positions, the rest of `reads` only."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)

    def heads(projected: torch.Tensor) -> torch.Tensor:
        return projected.unflatten(-1, (-1, attention.head_dim))

    query = attention.q_norm(heads(attention.q_proj(normed[:, reads]))).transpose(1, 2)
    key = attention.k_norm(heads(attention.k_proj(normed))).transpose(1, 2)
    value = heads(attention.v_proj(normed)).transpose(1, 2)
    cos, sin = rotary
    query, _ = apply_rotary_pos_emb(query, query, cos[:, reads], sin[:, reads])
    key, _ = apply_rotary_pos_emb(key, key, cos, sin)
    attended, _ = packed_attention(
        attention, query, key, value, None, scaling=attention.scaling, **segments
    )
    hidden = hidden[:, reads] + attention.o_proj(attended.flatten(2))
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))


def _on(device: torch.device, arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: v.to(device) if torch.is_tensor(v) else v for k, v in arguments.items()}


def _check_report(checkpoint: Path, report: dict) -> None:
    """transformers only warns when weights have no place, and invents those that are missing."""
    unexpected = {k for k in report["unexpected_keys"] if not k.endswith(_RECOMPUTED)}
    for keys, problem in (
        (report["missing_keys"], "lacks"),
        (unexpected, "holds weights that Qwen3-Omni has no place for (merge an adapter first):"),
        (report["mismatched_keys"], "has another shape than its config.json says:"),
    ):
        if keys:
            names = sorted(key[0] if isinstance(key, tuple) else key for key in keys)
            raise ConfigError(
                f"--model {checkpoint} {problem} {names[0]}, and {len(names) - 1} more like it; "
                "compare its files with those of the model it was fine-tuned from"
            )


def _check_sizes(checkpoint: Path, config) -> None:
    tower = config.vision_config
    found = (tower.patch_size, tower.spatial_merge_size, tower.temporal_patch_size)
    if found != (vision.PATCH_PX, vision.MERGE, vision.TEMPORAL) or (
        config.audio_config.num_mel_bins,
        2 * config.audio_config.n_window,
    ) != (audio.N_MELS, audio.CHUNK):
        raise ConfigError(
            f"--model {checkpoint}: its patches or mel windows differ from every Qwen3-Omni's"
        )
    if len(tower.deepstack_visual_indexes) >= config.text_config.num_hidden_layers:
        raise ConfigError(f"--model {checkpoint}: fewer text layers than deepstack needs")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars and no advice while a model loads; what matters is raised by us."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
