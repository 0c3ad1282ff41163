"""Pack labelled clips for a pass: layout, pixels, sound, and the token that each read predicts."""

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
from ah_ray.training.data.questions import LabelledClip, Questions


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredClip:
    """A clip with the answer that its last tokens spell."""

    clip: Clip
    layout: ClipLayout
    answer: tuple[int, ...]
    weight: float

    @property
    def weighted_tokens(self) -> float:
        """Return its share of the loss's denominator."""
        return self.weight * len(self.answer)


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """n clips of one pass on their device, with what their answers need.

    R reads are all positions that predict a token of an answer, clip after clip.
    """

    inputs: PackInputs
    reads: torch.Tensor  # [R], positions in 0 … S
    targets: torch.Tensor  # [R], the token that follows
    weights: torch.Tensor  # [R] float32
    clips: torch.Tensor  # [R], whose answer it is, in 0 … n
    values: Mapping[str, torch.Tensor]  # what the caller gave for each clip [n]

    @property
    def n_tokens(self) -> int:
        return len(self.inputs.layout.ids)


def add_label(questions: Questions, labelled: LabelledClip) -> AnsweredClip:
    """Return the clip with the answer of its label."""
    answer = questions.target(labelled.label)
    layout = questions.lay_out(labelled.clip, labelled.question, answer)
    return AnsweredClip(labelled.clip, layout, answer, labelled.weight)


def make_blank_clip(questions: Questions) -> AnsweredClip:
    """Return a clip of weight 0, for a worker that has no clip where others have."""
    clip = Clip(
        clip_index=0,
        start_s=0.0,
        end_s=0.025,
        frames=np.zeros((2, UNIT_PX, UNIT_PX, 3), np.uint8),
        samples=np.zeros(400, np.float32),
    )
    return add_label(questions, LabelledClip(window=-1, clip=clip, label=False, weight=0.0))


def split_into_packs(clips: Sequence[AnsweredClip], token_budget: int) -> list[list[AnsweredClip]]:
    """Return the clips of each pass, packed as in scoring."""
    chosen = pack_clips([clip.layout.n_tokens for clip in clips], token_budget)
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
    ends = layout.boundaries[1:].tolist()
    lengths = torch.tensor([len(clip.answer) for clip in clips])
    reads = [range(end - len(clip.answer), end) for clip, end in zip(clips, ends, strict=True)]
    extra = {
        "reads": torch.tensor([place for its in reads for place in its]),
        "targets": torch.tensor([token for clip in clips for token in clip.answer]),
        "weights": torch.tensor([clip.weight for clip in clips]).repeat_interleave(lengths),
        "clips": torch.arange(len(clips)).repeat_interleave(lengths),
    }
    inputs = stager.stage(
        [clip.clip.frames for clip in clips if clip.clip.frames is not None],
        [clip.clip.samples for clip in clips if clip.clip.samples is not None],
        layout,
        {**extra, **{name: torch.tensor(list(given)) for name, given in (values or {}).items()}},
    ).wait()
    answers = {name: inputs.extra[name] for name in extra}
    return Pack(inputs, **answers, values={name: inputs.extra[name] for name in values or {}})
