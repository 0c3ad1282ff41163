"""Labelled clips packed for a pass: layout, pixels, sound, and which token each read predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import Qwen3OmniMoeThinkerConfig

from ah_ray.omni.layout import ClipLayout, lay_out_pack
from ah_ray.omni.packing import pack
from ah_ray.omni.staging import Staged, Stager
from ah_ray.omni.vision import UNIT_PX
from ah_ray.records import Clip
from ah_ray.training.questions import LabelledClip, Questions


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A clip with the answer that its last tokens spell."""

    clip: Clip
    layout: ClipLayout
    answer: tuple[int, ...]
    weight: float

    @property
    def weighted_tokens(self) -> float:
        """Its share of the loss's denominator."""
        return self.weight * len(self.answer)


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """n clips of one pass on their device. R reads: every position that predicts an answer's
    token, clip after clip."""

    staged: Staged
    reads: torch.Tensor  # [R], positions in 0 … S
    targets: torch.Tensor  # [R], the token that follows
    weights: torch.Tensor  # [R] float32
    clips: torch.Tensor  # [R], whose answer it is, in 0 … n

    @property
    def n_tokens(self) -> int:
        return len(self.staged.layout.ids)


def asked(questions: Questions, labelled: LabelledClip) -> Asked:
    """The clip with its label's answer."""
    answer = questions.target(labelled.label)
    layout = questions.lay_out(labelled.clip, labelled.question, answer)
    return Asked(labelled.clip, layout, answer, labelled.weight)


def blank(questions: Questions) -> Asked:
    """A clip that weighs nothing, for a worker that has none where others have."""
    clip = Clip(
        clip_index=0,
        start_s=0.0,
        end_s=0.025,
        frames=np.zeros((2, UNIT_PX, UNIT_PX, 3), np.uint8),
        samples=np.zeros(400, np.float32),
    )
    return asked(questions, LabelledClip(window=-1, clip=clip, label=False, weight=0.0))


def in_packs(clips: Sequence[Asked], token_budget: int) -> list[list[Asked]]:
    """The clips of each pass, packed as in scoring."""
    chosen = pack([clip.layout.n_tokens for clip in clips], token_budget)
    return [[clips[index] for index in indices] for indices in chosen]


def stage(clips: Sequence[Asked], stager: Stager, config: Qwen3OmniMoeThinkerConfig) -> Pack:
    """Brings a pack to the stager's device."""
    layout = lay_out_pack([clip.layout for clip in clips], 1, config)
    ends = layout.boundaries[1:].tolist()
    lengths = torch.tensor([len(clip.answer) for clip in clips])
    reads = [range(end - len(clip.answer), end) for clip, end in zip(clips, ends, strict=True)]
    staged = stager.stage(
        [clip.clip.frames for clip in clips], [clip.clip.samples for clip in clips], layout
    )
    device = staged.rows.device
    return Pack(
        staged,
        torch.tensor([place for its in reads for place in its], device=device),
        torch.tensor([token for clip in clips for token in clip.answer], device=device),
        torch.tensor([clip.weight for clip in clips]).repeat_interleave(lengths).to(device),
        torch.arange(len(clips)).repeat_interleave(lengths).to(device),
    )
