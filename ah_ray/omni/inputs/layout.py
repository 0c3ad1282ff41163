"""Lay out the sequence of a clip, and of a pack: token ids, positions and boundaries.

All of it follows from shapes alone, so it is computed on the CPU, before or while a device works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from transformers.models.qwen3_omni_moe.configuration_qwen3_omni_moe import (
    Qwen3OmniMoeThinkerConfig,
)
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import (
    get_audio_cu_seqlens,
    get_valid_indices,
)
from transformers.vision_utils import (
    get_vision_cu_seqlens,
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
)

from ah_ray.omni.inputs.audio import CHUNK, count_audio_tokens, group_sounds
from ah_ray.omni.inputs.config_parts import get_audio_config, get_vision_config
from ah_ray.omni.inputs.positions import compute_mrope_positions
from ah_ray.omni.inputs.prompt import Prompt, Slot
from ah_ray.omni.inputs.vision import MERGE


@dataclass(frozen=True, slots=True, eq=False)
class ClipLayout:
    """The sequence of one clip, of S tokens."""

    ids: np.ndarray  # [S] int64
    positions: np.ndarray  # [3, S] float32
    video: np.ndarray  # where its picture's tokens are, in 0 … S
    audio: np.ndarray
    grid: tuple[int, int, int]  # t, h, w in patches
    n_mel_frames: int

    @property
    def n_tokens(self) -> int:
        """Return the length of the sequence."""
        return len(self.ids)


@lru_cache(maxsize=1024)  # a cohort has few shapes
def lay_out_clip(
    prompt: Prompt,
    grid: tuple[int, int, int],
    n_mel_frames: int,
    second_per_grid: float,
    ids_per_second: float,
    floor_positions: bool = False,
) -> ClipLayout:
    """Return the sequence of a clip with this grid of patches and this many mel frames.

    `second_per_grid` is what `Profile.grid_seconds` gives for the clip.
    """
    t, h, w = grid[0], grid[1] // MERGE, grid[2] // MERGE
    n_video, n_audio = t * h * w, count_audio_tokens(n_mel_frames)
    sizes: dict[Slot, int | tuple[int, int, int]] = {
        Slot.VIDEO: (t, h, w),
        Slot.AUDIO: n_audio,
    }
    pieces = (sizes[p] if isinstance(p, Slot) else len(p) for p in prompt.pieces)
    ids = np.array(prompt.token_ids(n_video, n_audio))
    # Found by the slots, not by their ids: an answer may hold one of those ids.
    lengths = {Slot.VIDEO: n_video, Slot.AUDIO: n_audio}
    slots: dict[Slot, np.ndarray] = {}
    start = 0
    for piece in prompt.pieces:
        n_tokens = lengths[piece] if isinstance(piece, Slot) else len(piece)
        if isinstance(piece, Slot):
            slots[piece] = np.arange(start, start + n_tokens)
        start += n_tokens
    return ClipLayout(
        ids=ids,
        positions=compute_mrope_positions(
            pieces, second_per_grid, ids_per_second, floor=floor_positions
        ),
        video=slots[Slot.VIDEO],
        audio=slots[Slot.AUDIO],
        grid=grid,
        n_mel_frames=n_mel_frames,
    )


@dataclass(frozen=True, slots=True, eq=False)
class SoundGroup:
    """Clips whose sound passes through the audio tower in one call."""

    clips: list[int]  # in the pack
    tower: dict[str, Any]  # the tower's arguments that follow from lengths alone
    tokens: torch.Tensor  # where its output goes, in 0 … S


@dataclass(frozen=True, slots=True, eq=False)
class PackLayout:
    """The sequences of n clips, one after another, S tokens in all."""

    ids: torch.Tensor  # [S]
    positions: torch.Tensor  # [3, 1, S]
    boundaries: torch.Tensor  # [n + 1] int32, where each clip begins; the last is S
    longest: int
    reads: torch.Tensor  # [n · n_reads], where the answer is read
    read_boundaries: torch.Tensor  # [n + 1] int32, the same of `reads`
    n_reads: int
    video: torch.Tensor  # where the picture's tokens go
    grid: torch.Tensor  # [n, 3]
    vision_inputs: dict[str, Any]
    sounds: list[SoundGroup]


def lay_out_pack(
    clips: Sequence[ClipLayout], n_reads: int, config: Qwen3OmniMoeThinkerConfig
) -> PackLayout:
    """Return the clips' sequences joined. Every tensor is on the CPU."""
    lengths = np.array([clip.n_tokens for clip in clips])
    ends = lengths.cumsum()
    starts = ends - lengths
    reads = ends[:, None] - np.arange(n_reads, 0, -1)
    grid = torch.tensor([clip.grid for clip in clips])
    return PackLayout(
        ids=torch.from_numpy(np.concatenate([clip.ids for clip in clips])),
        positions=torch.from_numpy(np.concatenate([clip.positions for clip in clips], axis=1))[
            :, None
        ],
        boundaries=torch.tensor([0, *ends], dtype=torch.int32),
        longest=int(lengths.max()),
        reads=torch.from_numpy(reads.flatten()),
        read_boundaries=torch.arange(len(clips) + 1, dtype=torch.int32) * n_reads,
        n_reads=n_reads,
        video=torch.from_numpy(
            np.concatenate([clip.video + start for clip, start in zip(clips, starts, strict=True)])
        ),
        grid=grid,
        vision_inputs=_make_vision_inputs(grid, config),
        sounds=[
            SoundGroup(
                clips=group,
                tower=_make_audio_inputs([clips[i].n_mel_frames for i in group], config),
                tokens=torch.from_numpy(
                    np.concatenate([clips[i].audio + starts[i] for i in group])
                ),
            )
            for group in group_sounds([clip.n_mel_frames for clip in clips])
        ],
    )


def _make_vision_inputs(grid: torch.Tensor, config: Qwen3OmniMoeThinkerConfig) -> dict[str, Any]:
    """Return the vision tower's arguments; its attention stays within one pair of frames."""
    boundaries = get_vision_cu_seqlens(grid)
    indices, weights = get_vision_interpolation_indices_and_weights(
        grid,
        num_grid_per_side=int(get_vision_config(config).num_position_embeddings ** 0.5),
        mode="bilinear",
        align_corners=True,
        spatial_merge_size=MERGE,
    )
    return {
        "cu_seqlens": boundaries,
        "max_seqlen": int(boundaries.diff().max()),
        "position_ids": get_vision_position_ids(grid, MERGE),
        "interp_indices": indices,
        "interp_weights": weights,
    }


def _make_audio_inputs(
    n_mel_frames: list[int], config: Qwen3OmniMoeThinkerConfig
) -> dict[str, Any]:
    """Return the audio tower's arguments; attention stays within `n_window_infer` mel frames."""
    lengths = torch.tensor(n_mel_frames)
    chunk_lengths = torch.tensor(
        [min(CHUNK, frames - start) for frames in n_mel_frames for start in range(0, frames, CHUNK)]
    )
    audio = get_audio_config(config)
    boundaries = get_audio_cu_seqlens(chunk_lengths, lengths, audio.n_window_infer, audio.n_window)
    return {
        "chunk_lengths": chunk_lengths,
        "valid_indices": get_valid_indices(chunk_lengths, audio.n_window),
        "cu_seqlens": boundaries,
        "max_seqlen": int(boundaries.diff().max()),
    }
