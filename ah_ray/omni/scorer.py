"""Clips in, P(A/H) out: what a replica holds."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ah_ray.config import Arithmetic
from ah_ray.errors import ErrorKind
from ah_ray.omni.answer import Answer, p_ah, read_answer
from ah_ray.omni.audio import n_mel_frames
from ah_ray.omni.layout import ClipLayout, lay_out_clip, lay_out_pack
from ah_ray.omni.packing import pack
from ah_ray.omni.prompt import Prompt, build_prompt
from ah_ray.omni.thinker import Thinker
from ah_ray.omni.tokens import load_tokenizer
from ah_ray.omni.vision import UNIT_PX, patch_grid
from ah_ray.profile import Profile
from ah_ray.records import Clip, ClipScore

CPU_TOKEN_BUDGET = 4_096
GPU_TOKEN_BUDGET = 16_384  # over 10k, a pass is bound by arithmetic and not by reading weights


@dataclass(frozen=True, slots=True)
class _Ready:
    """A clip that can be scored, laid out."""

    place: int  # in the caller's list
    frames: torch.Tensor
    samples: torch.Tensor
    layout: ClipLayout


@dataclass(frozen=True, slots=True)
class _Reading:
    """What became of a clip: numbers, or an error."""

    p_ah: float | None = None
    answer_mass: float | None = None
    seconds: float = 0.0
    error: str | None = None


class Scorer:
    """One loaded model and one profile. Threads may share it: they prepare clips side by side,
    and take turns on the device."""

    def __init__(
        self,
        thinker: Thinker,
        prompt: Prompt,
        answer: Answer,
        *,
        second_per_grid: float,
        token_budget: int,
    ):
        self.token_budget = token_budget  # most tokens in a pass; halved when memory runs out
        self._thinker = thinker
        self._prompt = prompt
        self._answer = answer
        self._second_per_grid = second_per_grid
        self._device_turn = threading.Lock()

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        *,
        profile: Profile,
        arithmetic: Arithmetic,
        device: str | None = None,
        token_budget: int | None = None,
        adapters: Sequence[Path] = (),
    ) -> Scorer:
        """Load a checkpoint that `find_checkpoint` found; on a GPU if there is one. LoRA adapters
        (peft, ms-swift) are merged into it, in order.

        Raises ConfigError, with the mend, if it cannot be loaded or does not fit the profile.
        """
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        tokenizer = load_tokenizer(checkpoint)
        answer = read_answer(tokenizer)
        return cls(
            Thinker.load(checkpoint, arithmetic, place, adapters),
            build_prompt(profile, tokenizer, answer.start),
            answer,
            second_per_grid=profile.second_per_grid,
            token_budget=token_budget
            or (CPU_TOKEN_BUDGET if place.type == "cpu" else GPU_TOKEN_BUDGET),
        )

    def score(self, clips: Sequence[Clip]) -> list[ClipScore]:
        """Scores in the same order. A clip that cannot be scored has an error in its place, and
        costs no other clip anything."""
        readings: dict[int, _Reading] = {}
        ready: list[_Ready] = []
        for place, clip in enumerate(clips):
            problem = _problem(clip)
            if problem:
                readings[place] = _Reading(error=problem)
            else:
                ready.append(self._prepare(place, clip))
        for chosen in pack([clip.layout.n_tokens for clip in ready], self.token_budget):
            readings |= self._score_pack([ready[i] for i in chosen])
        return [_clip_score(clip, readings[place]) for place, clip in enumerate(clips)]

    def _prepare(self, place: int, clip: Clip) -> _Ready:
        layout = lay_out_clip(
            self._prompt,
            patch_grid(clip.frames.shape),
            n_mel_frames(len(clip.samples)),
            self._second_per_grid,
            self._thinker.config.position_id_per_seconds,
        )
        frames, samples = _tensor(clip.frames), _tensor(clip.samples)
        return _Ready(place, frames, samples, layout)

    def _score_pack(self, clips: list[_Ready]) -> dict[int, _Reading]:
        """One pass; if memory runs out, two of half the clips each, down to a clip alone.

        Other errors of a device are not caught: it may be lost to this process, and a fresh one
        must take over.
        """
        layout = lay_out_pack(
            [clip.layout for clip in clips], self._answer.n_reads, self._thinker.config
        )
        try:
            with self._device_turn:
                return self._pass(clips, layout)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        if len(clips) == 1:
            error = f"{layout.longest} tokens do not fit in the replica's memory; use a profile "
            return {clips[0].place: _Reading(error=error + "with fewer pixels")}
        self.token_budget = max(1, min(self.token_budget, len(layout.ids)) // 2)
        half = len(clips) // 2
        return self._score_pack(clips[:half]) | self._score_pack(clips[half:])

    def _pass(self, clips: list[_Ready], layout) -> dict[int, _Reading]:
        began = time.perf_counter()
        log_p = self._thinker.log_probabilities(
            [clip.frames for clip in clips], [clip.samples for clip in clips], layout
        )
        p, mass = p_ah(self._answer, log_p)
        seconds = time.perf_counter() - began
        return {
            clip.place: _reading(
                clip_p, clip_mass, seconds * clip.layout.n_tokens / len(layout.ids)
            )
            for clip, clip_p, clip_mass in zip(clips, p.tolist(), mass.tolist(), strict=True)
        }


def _problem(clip: Clip) -> str | None:
    """Why a clip cannot be scored, or None."""
    frames, samples = clip.frames, clip.samples
    if frames.dtype != np.uint8 or frames.ndim != 4 or 0 in frames.shape or frames.shape[3] != 3:
        return f"frames are {frames.dtype} {frames.shape}, not uint8 [T, H, W, 3]"
    if frames.shape[1] % UNIT_PX or frames.shape[2] % UNIT_PX:
        return f"frames of {frames.shape[2]}×{frames.shape[1]} px: not multiples of {UNIT_PX}"
    if samples.ndim != 1 or not np.isfinite(samples).all():
        return "the sound holds values that are not finite"
    return None


def _tensor(array: np.ndarray) -> torch.Tensor:
    """Without a copy where the array may be written to (torch warns otherwise)."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _reading(p: float, mass: float, seconds: float) -> _Reading:
    if math.isfinite(p) and math.isfinite(mass):
        return _Reading(p_ah=p, answer_mass=mass, seconds=seconds)
    return _Reading(seconds=seconds, error="the model gave no finite probability for this clip")


def _is_out_of_memory(error: Exception) -> bool:
    """torch has a type for it on a GPU; on a CPU, only words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "DefaultCPUAllocator" in str(error)
    )


def _clip_score(clip: Clip, reading: _Reading) -> ClipScore:
    return ClipScore(
        clip_index=clip.clip_index,
        start_s=clip.start_s,
        end_s=clip.end_s,
        p_ah=reading.p_ah,
        answer_mass=reading.answer_mass,
        n_frames=len(clip.frames),
        score_s=reading.seconds,
        error_kind=ErrorKind.SCORING if reading.error else None,
        error=reading.error,
    )
