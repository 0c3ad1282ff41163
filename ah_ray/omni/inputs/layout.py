"""Lay out the sequence of a clip, and of a pack: token ids, positions and boundaries.

All of it follows from shapes alone, so it is computed on the CPU, before or while a device works.
"""

from __future__ import annotations

import math
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
from ah_ray.omni.inputs.forks import PromptTree
from ah_ray.omni.inputs.positions import compute_mrope_positions
from ah_ray.omni.inputs.prompt import Slot
from ah_ray.omni.inputs.vision import MERGE


@dataclass(frozen=True, slots=True, eq=False)
class ClipLayout:
    """The sequence of one clip, of S tokens: its main line, then the own tokens of each fork.

    What the towers make of picture and sound goes to `video` and `audio`: once, or once more for
    each line that does not share it.
    """

    ids: np.ndarray  # [S] int64
    positions: np.ndarray  # [3, S] float32
    video: np.ndarray  # where its picture's tokens are, in 0 … S
    audio: np.ndarray
    grid: tuple[int, int, int]  # t, h, w in patches
    n_mel_frames: int
    lengths: tuple[int, ...]  # own tokens of each line; their sum is S
    keys: tuple[np.ndarray, ...]  # of each line, where its whole prompt is, in 0 … S
    n_reads: tuple[int, ...]  # of each line, how many of its last positions are read
    picks: np.ndarray  # [P, 2] int64, a read and the token whose log-probability is wanted

    @property
    def n_tokens(self) -> int:
        """Return the length of the sequence."""
        return len(self.ids)


@lru_cache(maxsize=1024)  # a cohort has few shapes
def lay_out_clip(
    tree: PromptTree,
    grid: tuple[int, int, int],
    n_mel_frames: int,
    second_per_grid: float,
    ids_per_second: float,
    floor_positions: bool = False,
) -> ClipLayout:
    """Return the sequence of a clip with this grid of patches and this many mel frames.

    Positions are those that each prompt of the tree has by itself. `second_per_grid` is what
    `Profile.grid_seconds` gives for the clip.
    """
    t, h, w = grid[0], grid[1] // MERGE, grid[2] // MERGE
    n_video, n_audio = t * h * w, count_audio_tokens(n_mel_frames)
    shapes: dict[Slot, int | tuple[int, int, int]] = {Slot.VIDEO: (t, h, w), Slot.AUDIO: n_audio}
    sizes = {Slot.VIDEO: n_video, Slot.AUDIO: n_audio}
    ids: list[np.ndarray] = []
    positions: list[np.ndarray] = []
    keys: list[np.ndarray] = []
    slots: dict[Slot, list[np.ndarray]] = {Slot.VIDEO: [], Slot.AUDIO: []}
    n_rows = 0
    for line in tree.lines:
        pieces = line.prompt.pieces
        lengths = [sizes[p] if isinstance(p, Slot) else len(p) for p in pieces]
        n_shared = sum(lengths[: line.shared_pieces]) + line.shared_tokens
        # Found by the slots, not by their ids: an answer may hold one of those ids.
        start = n_rows - n_shared
        for number, (piece, n_tokens) in enumerate(zip(pieces, lengths, strict=True)):
            if isinstance(piece, Slot) and number >= line.shared_pieces:
                slots[piece].append(np.arange(start, start + n_tokens))
            start += n_tokens
        ids.append(np.array(line.prompt.token_ids(n_video, n_audio))[n_shared:])
        positions.append(
            compute_mrope_positions(
                (shapes[p] if isinstance(p, Slot) else len(p) for p in pieces),
                second_per_grid,
                ids_per_second,
                floor=floor_positions,
            )[:, n_shared:]
        )
        own = np.arange(n_rows, start)
        keys.append(np.concatenate([keys[line.parent][:n_shared], own]) if keys else own)
        n_rows = start
    nowhere = np.arange(0)
    return ClipLayout(
        ids=np.concatenate(ids),
        positions=np.concatenate(positions, axis=1),
        video=np.concatenate([nowhere, *slots[Slot.VIDEO]]),
        audio=np.concatenate([nowhere, *slots[Slot.AUDIO]]),
        grid=grid,
        n_mel_frames=n_mel_frames,
        lengths=tuple(map(len, ids)),
        keys=tuple(keys),
        n_reads=tuple(line.n_reads for line in tree.lines),
        picks=np.array(tree.picks, np.int64).reshape(-1, 2),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SoundGroup:
    """Clips whose sound passes through the audio tower in one call."""

    clips: list[int]  # in the pack
    tower: dict[str, Any]  # the tower's arguments that follow from lengths alone
    tokens: torch.Tensor  # where its output goes, in 0 … S
    rows: torch.Tensor | None  # which of its output goes there; None: all of it, k times


@dataclass(frozen=True, slots=True, eq=False)
class PackLayout:
    """The sequences of n clips, S tokens in all, in m segments: a line of a clip each.

    The main lines of all clips come first, then their first forks, and so on: so neighbours have
    equal lengths, which attention on a CPU processes in one call. A segment attends to itself and
    to what its line shares with others: its keys are `key_rows`, or the segments themselves if
    there is no fork.
    """

    ids: torch.Tensor  # [S]
    positions: torch.Tensor  # [3, 1, S]
    boundaries: torch.Tensor  # [m + 1] int32, where each segment begins; the last is S
    longest: int
    key_rows: torch.Tensor | None  # [K], in 0 … S
    key_boundaries: torch.Tensor  # [m + 1] int32, the same of `key_rows`
    longest_key: int
    reads: torch.Tensor  # [R], where the answers are read: the last positions of each segment
    read_boundaries: torch.Tensor  # [m + 1] int32, the same of `reads`
    longest_read: int
    picked_reads: torch.Tensor  # [P], in 0 … R, clip after clip
    picked_tokens: torch.Tensor  # [P]
    video: torch.Tensor  # where the picture's tokens [Nv] go, in 0 … S
    video_rows: torch.Tensor | None  # which of them go there; None: all of them, k times
    grid: torch.Tensor  # [n, 3]
    vision_inputs: dict[str, Any]
    sounds: list[SoundGroup]


def lay_out_pack(clips: Sequence[ClipLayout], config: Qwen3OmniMoeThinkerConfig) -> PackLayout:
    """Return the clips' sequences joined. Every tensor is on the CPU."""
    n_lines = max(len(clip.lengths) for clip in clips)
    segments = [
        (clip, line)
        for line in range(n_lines)
        for clip, layout in enumerate(clips)
        if line < len(layout.lengths)
    ]
    lengths = np.array([clips[clip].lengths[line] for clip, line in segments])
    n_reads = np.array([clips[clip].n_reads[line] for clip, line in segments])
    ends = lengths.cumsum()
    reads = [np.arange(end - n, end) for end, n in zip(ends, n_reads, strict=True)]
    rows = _gather_ranges(segments, lengths, len(clips))
    its_reads = _gather_ranges(segments, n_reads, len(clips))
    ids, positions = np.empty(ends[-1], np.int64), np.empty((3, ends[-1]), np.float32)
    for clip, its_rows in zip(clips, rows, strict=True):
        ids[its_rows], positions[:, its_rows] = clip.ids, clip.positions
    boundaries = _make_boundaries(lengths)
    keys = [rows[clip][clips[clip].keys[line]] for clip, line in segments] if n_lines > 1 else None
    n_keys = np.array([len(its) for its in keys]) if keys else lengths
    picks = [
        (its[clip.picks[:, 0]], clip.picks[:, 1])
        for clip, its in zip(clips, its_reads, strict=True)
    ]
    grid = torch.tensor([clip.grid for clip in clips])
    video, video_rows = _join_copies(
        [its[clip.video] for clip, its in zip(clips, rows, strict=True)],
        [math.prod(clip.grid) // MERGE**2 for clip in clips],
    )
    return PackLayout(
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(positions)[:, None],
        boundaries=boundaries,
        longest=int(lengths.max()),
        key_rows=torch.from_numpy(np.concatenate(keys)) if keys else None,
        key_boundaries=_make_boundaries(n_keys) if keys else boundaries,
        longest_key=int(n_keys.max()),
        reads=torch.from_numpy(np.concatenate(reads)),
        read_boundaries=_make_boundaries(n_reads),
        # flash-attn 2 treats "at most one query" as a case of its own, which depends on the pack.
        longest_read=max(2, int(n_reads.max())),
        picked_reads=torch.from_numpy(np.concatenate([its for its, _ in picks])),
        picked_tokens=torch.from_numpy(np.concatenate([tokens for _, tokens in picks])),
        video=video,
        video_rows=video_rows,
        grid=grid,
        vision_inputs=_make_vision_inputs(grid, config),
        sounds=[
            _make_sound_group(group, clips, rows, config)
            for group in group_sounds([clip.n_mel_frames for clip in clips])
        ],
    )


def _make_sound_group(
    group: list[int],
    clips: Sequence[ClipLayout],
    rows: Sequence[np.ndarray],
    config: Qwen3OmniMoeThinkerConfig,
) -> SoundGroup:
    tokens, source = _join_copies(
        [rows[i][clips[i].audio] for i in group],
        [count_audio_tokens(clips[i].n_mel_frames) for i in group],
    )
    tower = _make_audio_inputs([clips[i].n_mel_frames for i in group], config)
    return SoundGroup(clips=group, tower=tower, tokens=tokens, rows=source)


def _gather_ranges(
    segments: Sequence[tuple[int, int]], lengths: np.ndarray, n_clips: int
) -> list[np.ndarray]:
    """Return for each clip where its segments are, line after line."""
    ranges: list[list[np.ndarray]] = [[] for _ in range(n_clips)]
    for (clip, _), end, length in zip(segments, lengths.cumsum(), lengths, strict=True):
        ranges[clip].append(np.arange(end - length, end))
    return [np.concatenate(its) for its in ranges]


def _make_boundaries(lengths: np.ndarray) -> torch.Tensor:
    return torch.tensor([0, *lengths.cumsum()], dtype=torch.int32)


def _join_copies(
    places: Sequence[np.ndarray], lengths: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return where a tower's output goes, and which of its rows, or None if all go k times.

    `places` are those of each clip, whose output has this many rows. All clips that are asked the
    same have equally many copies: then the first copy comes for all clips, then the second.
    """
    split = [its.reshape(-1, length) for its, length in zip(places, lengths, strict=True)]
    if len(set(map(len, split))) == 1:
        copies = zip(*split, strict=True)
        joined = [np.arange(0), *(its for copy in copies for its in copy)]
        return torch.from_numpy(np.concatenate(joined)), None
    starts = np.cumsum([0, *lengths])
    rows = [
        np.tile(np.arange(start, start + length), len(its))
        for its, start, length in zip(split, starts, lengths, strict=False)
    ]
    return torch.from_numpy(np.concatenate(places)), torch.from_numpy(np.concatenate(rows))


def copy_output(
    output: torch.Tensor, places: torch.Tensor, rows: torch.Tensor | None
) -> torch.Tensor:
    """Return what of a tower's output [N, D] goes to each of `places`: [places, D].

    `rows` are the layout's: which of the output, or None for all of it, k times.
    """
    if rows is not None:
        return output[rows]
    return output if len(output) == len(places) else output.repeat(len(places) // len(output), 1)


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
