"""Pack labelled clips for a pass: layout, pixels, sound, and the token that each read predicts.

A clip is one look: all its questions share what their prompts have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import Qwen3OmniMoeThinkerConfig

from ah_ray.omni.inputs.layout import ClipLayout, lay_out_pack
from ah_ray.omni.inputs.packing import pack_clips
from ah_ray.omni.inputs.staging import PackInputs, Stager
from ah_ray.omni.inputs.vision import UNIT_PX
from ah_ray.records import Clip
from ah_ray.training.data.questions import LabelledClip, Questions, Target

_COPIES_OF_A_TOKEN = 16
"""So many copied keys and values take about the memory that a pass keeps of one token."""


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredClip:
    """A clip with the answers that the last tokens of its lines spell."""

    clip: Clip
    layout: ClipLayout
    targets: tuple[Target, ...]  # of each line

    @property
    def weighted_tokens(self) -> float:
        """Return its share of the loss's denominator."""
        return sum(target.weight * len(target.tokens) for target in self.targets)

    @property
    def cost(self) -> int:
        """Return how much of a pass's token budget it takes: its tokens, and copies of its keys."""
        n_keys = sum(map(len, self.layout.keys))
        return self.layout.n_tokens + (n_keys - self.layout.n_tokens) // _COPIES_OF_A_TOKEN


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """n clips of one pass on their device, with what their answers need.

    R reads are all positions that predict a token of an answer, segment after segment: so the first
    lines of all clips come first.
    """

    inputs: PackInputs
    targets: torch.Tensor  # [R], the token that follows
    weights: torch.Tensor  # [R] float32
    clips: torch.Tensor  # [R], whose answer it is, in 0 … n
    values: Mapping[str, torch.Tensor]  # what the caller gave for each clip [n]

    @property
    def reads(self) -> torch.Tensor:
        """Return the positions [R] in 0 … S that are read."""
        return self.inputs.layout.reads

    @property
    def n_tokens(self) -> int:
        return len(self.inputs.layout.ids)


def add_labels(questions: Questions, labelled: LabelledClip) -> AnsweredClip:
    """Return the clip with the answers of its labels."""
    return AnsweredClip(labelled.clip, *questions.lay_out_look(labelled))


def make_blank_clip(questions: Questions) -> AnsweredClip:
    """Return a clip of weight 0, for a worker that has no clip where others have."""
    clip = Clip(
        clip_index=0,
        start_s=0.0,
        end_s=0.025,
        frames=np.zeros((2, UNIT_PX, UNIT_PX, 3), np.uint8),
        samples=np.zeros(400, np.float32),
    )
    target = Target(questions.spell(questions.first, questions.first.answers[-1]), 0.0)
    return AnsweredClip(clip, questions.lay_out(clip, None, target.tokens), (target,))


def split_into_packs(clips: Sequence[AnsweredClip], token_budget: int) -> list[list[AnsweredClip]]:
    """Return the clips of each pass, packed as in scoring."""
    chosen = pack_clips([clip.cost for clip in clips], token_budget)
    return [[clips[index] for index in indices] for indices in chosen]


def stage_pack(
    clips: Sequence[AnsweredClip],
    stager: Stager,
    config: Qwen3OmniMoeThinkerConfig,
    values: Mapping[str, Sequence[float]] | None = None,
) -> Pack:
    """Bring a pack to the stager's device, with some `values` for each clip.

    All of it is copied beside running work, and the device's current stream waits for the copy.
    """
    layout = lay_out_pack([clip.layout for clip in clips], config)
    n_lines = max(len(clip.targets) for clip in clips)
    targets = [  # in the order of the layout's segments
        (number, clip.targets[line])
        for line in range(n_lines)
        for number, clip in enumerate(clips)
        if line < len(clip.targets)
    ]
    lengths = torch.tensor([len(target.tokens) for _, target in targets])
    extra = {
        "targets": torch.tensor([token for _, target in targets for token in target.tokens]),
        "weights": torch.tensor([target.weight for _, target in targets]).repeat_interleave(
            lengths
        ),
        "clips": torch.tensor([number for number, _ in targets]).repeat_interleave(lengths),
    }
    inputs = stager.stage(
        [clip.clip.frames for clip in clips if clip.clip.frames is not None],
        [clip.clip.samples for clip in clips if clip.clip.samples is not None],
        layout,
        {**extra, **{name: torch.tensor(list(given)) for name, given in (values or {}).items()}},
    ).wait()
    answers = {name: inputs.extra[name] for name in extra}
    return Pack(inputs, **answers, values={name: inputs.extra[name] for name in values or {}})
