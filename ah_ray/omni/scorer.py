"""Clips in, P(A/H) out: what a replica holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ah_ray.config import Arithmetic
from ah_ray.errors import ErrorKind
from ah_ray.omni.answer import Answer, read_answer
from ah_ray.omni.audio import n_mel_frames
from ah_ray.omni.budget import measure_budget
from ah_ray.omni.conveyor import Conveyor, TooLarge, Waiting
from ah_ray.omni.layout import lay_out_clip
from ah_ray.omni.local_copy import Say
from ah_ray.omni.prompt import Prompt, build_prompt
from ah_ray.omni.thinker import Thinker
from ah_ray.omni.tokens import load_tokenizer
from ah_ray.omni.vision import UNIT_PX, patch_grid
from ah_ray.profile import Profile
from ah_ray.records import Clip, ClipScore

CPU_TOKEN_BUDGET = 4_096


class Scorer:
    """One loaded model and one profile. Threads may share it: what they bring is packed together,
    and prepared by one while another's pass runs."""

    def __init__(
        self,
        thinker: Thinker,
        prompt: Prompt,
        answer: Answer,
        *,
        second_per_grid: float,
        token_budget: int,
    ):
        self._thinker = thinker
        self._prompt = prompt
        self._second_per_grid = second_per_grid
        self._conveyor = Conveyor(thinker, answer, token_budget)

    @classmethod
    def load(
        cls,
        checkpoint: Path,
        *,
        profile: Profile,
        arithmetic: Arithmetic,
        device: str | None = None,
        devices: Sequence[str] = (),
        token_budget: int | None = None,
        adapters: Sequence[Path] = (),
        say: Say = lambda _: None,
    ) -> Scorer:
        """Load a checkpoint that `find_checkpoint` found; on a GPU if there is one, or with its
        layers shared out over several `devices`. LoRA adapters (peft, ms-swift) are merged into
        it, in order. `say` is told what is loaded, and how fast it was.

        Without a `token_budget` it is found on GPUs by a trial pass. Raises ConfigError, with the
        mend, if the model cannot be loaded or does not fit the profile or the devices.
        """
        names = devices or (device or ("cuda" if torch.cuda.is_available() else "cpu"),)
        places = [torch.device(name) for name in names]
        tokenizer = load_tokenizer(checkpoint)
        thinker = Thinker.load(checkpoint, arithmetic, places, adapters, say)
        return cls.of(thinker, tokenizer, profile, token_budget)

    @classmethod
    def of(
        cls, thinker: Thinker, tokenizer, profile: Profile, token_budget: int | None = None
    ) -> Scorer:
        """A model that is loaded already, with the tokenizer that it was trained with."""
        answer = read_answer(tokenizer)
        prompt = build_prompt(profile, tokenizer, answer.start)
        if token_budget is None:
            on_gpu = thinker.device.type == "cuda"
            token_budget = (
                measure_budget(thinker, prompt, answer, profile) if on_gpu else CPU_TOKEN_BUDGET
            )
        return cls(
            thinker,
            prompt,
            answer,
            second_per_grid=profile.second_per_grid,
            token_budget=token_budget,
        )

    @property
    def token_budget(self) -> int:
        """Most tokens in a pass, but for a clip that has more."""
        return self._conveyor.token_budget

    @property
    def busy_s(self) -> float:
        """Seconds that the device has spent on passes so far; each clip's are its `score_s`."""
        return self._conveyor.busy_s

    @property
    def n_passes(self) -> int:
        return self._conveyor.n_passes

    @property
    def n_tokens(self) -> int:
        """Tokens of all passes so far."""
        return self._conveyor.n_tokens

    def score(self, clips: Sequence[Clip]) -> list[ClipScore]:
        """Scores in the same order. A clip that cannot be scored has an error in its place, and
        costs no other clip anything."""
        problems = [_problem(clip) for clip in clips]
        waiting = [
            None if problem else self._prepare(clip)
            for clip, problem in zip(clips, problems, strict=True)
        ]
        self._conveyor.carry([clip for clip in waiting if clip is not None])
        return [
            _failed(clip, problem) if waits is None else _clip_score(clip, waits)
            for clip, waits, problem in zip(clips, waiting, problems, strict=True)
        ]

    def _prepare(self, clip: Clip) -> Waiting:
        layout = lay_out_clip(
            self._prompt,
            patch_grid(clip.frames.shape),
            n_mel_frames(len(clip.samples)),
            self._second_per_grid,
            self._thinker.config.position_id_per_seconds,
        )
        return Waiting(clip.frames, clip.samples, layout)


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


def _clip_score(clip: Clip, waited: Waiting) -> ClipScore:
    """Of a clip that is done; raises the device's error if that was lost."""
    try:
        reading = waited.reading.result()
    except TooLarge as error:
        return _failed(clip, f"{error} in the replica's memory; use a profile with fewer pixels")
    if not (math.isfinite(reading.p_ah) and math.isfinite(reading.answer_mass)):
        problem = "the model gave no finite probability for this clip"
        return _failed(clip, problem, reading.seconds)
    return ClipScore(
        clip_index=clip.clip_index,
        start_s=clip.start_s,
        end_s=clip.end_s,
        p_ah=reading.p_ah,
        answer_mass=reading.answer_mass,
        n_frames=len(clip.frames),
        score_s=reading.seconds,
    )


def _failed(clip: Clip, problem: str, seconds: float = 0.0) -> ClipScore:
    return ClipScore(
        clip_index=clip.clip_index,
        start_s=clip.start_s,
        end_s=clip.end_s,
        p_ah=None,
        n_frames=len(clip.frames),
        score_s=seconds,
        error_kind=ErrorKind.SCORING,
        error=problem,
    )
