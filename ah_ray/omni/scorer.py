"""Score clips with Qwen3-Omni: the implementation of `ah_ray.Scorer` that a replica holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from ah_ray.config import Arithmetic
from ah_ray.errors import ErrorKind
from ah_ray.interfaces.callbacks import MessageCallback, ignore_message
from ah_ray.omni.batcher import Batcher, ClipOutput, ClipTooLarge, PendingClip
from ah_ray.omni.inputs.audio import count_mel_frames
from ah_ray.omni.inputs.layout import lay_out_clip
from ah_ray.omni.inputs.tokenizer_check import check_tokenizers
from ah_ray.omni.inputs.vision import UNIT_PX, compute_patch_grid
from ah_ray.omni.model.attention import describe_attention
from ah_ray.omni.model.loading import DTYPES
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.questionnaire import Questionnaire, build_questionnaire
from ah_ray.omni.token_budget import measure_budget
from ah_ray.profile import Profile
from ah_ray.records import AnswerScore, Clip, ClipScore, ContrastScore, failed_score
from ah_ray.verdicts.contrast import measure_contrast

CPU_TOKEN_BUDGET = 4_096


class OmniScorer:
    """One loaded model and one profile.

    Threads may share it: their clips are packed together, and one thread prepares clips while a
    pass of another thread runs.
    """

    def __init__(
        self,
        thinker: Thinker,
        questionnaire: Questionnaire,
        *,
        profile: Profile,
        token_budget: int,
        keep_embeddings: bool = False,
    ):
        self._thinker = thinker
        self._questionnaire = questionnaire
        self._profile = profile
        self._batcher = Batcher(
            thinker, questionnaire, token_budget, keep_embeddings=keep_embeddings
        )

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
        keep_embeddings: bool = False,
        on_message: MessageCallback = ignore_message,
    ) -> OmniScorer:
        """Load a checkpoint that `find_checkpoint` found.

        The model is put on a GPU if there is one, or its layers are spread over several `devices`.
        LoRA adapters (peft, ms-swift) are merged into it in order. `on_message` receives what is
        loaded, how fast it was, and which attention a GPU uses.

        Without a `token_budget` a trial pass finds one on GPUs. With `keep_embeddings` each score
        holds the hidden state from which its answer was read. Raise ConfigError, which says what
        to do, if the model cannot be loaded or does not fit the profile or the devices.
        """
        names = devices or (device or ("cuda" if torch.cuda.is_available() else "cpu"),)
        places = [torch.device(name) for name in names]
        tokenizer = check_tokenizers(checkpoint, adapters, profile)
        thinker = Thinker.load(checkpoint, arithmetic, places, adapters, on_message)
        if thinker.device.type == "cuda":
            on_message(describe_attention(DTYPES[arithmetic], needs_gradients=False))
        return cls.from_thinker(
            thinker, tokenizer, profile, token_budget, keep_embeddings=keep_embeddings
        )

    @classmethod
    def from_thinker(
        cls,
        thinker: Thinker,
        tokenizer: Tokenizer,
        profile: Profile,
        token_budget: int | None = None,
        *,
        keep_embeddings: bool = False,
    ) -> OmniScorer:
        """Return a scorer for a loaded model and the tokenizer that it was trained with."""
        questionnaire = build_questionnaire(profile, tokenizer)
        if token_budget is None:
            on_gpu = thinker.device.type == "cuda"
            token_budget = (
                measure_budget(thinker, questionnaire.tree, profile) if on_gpu else CPU_TOKEN_BUDGET
            )
        return cls(
            thinker,
            questionnaire,
            profile=profile,
            token_budget=token_budget,
            keep_embeddings=keep_embeddings,
        )

    @property
    def token_budget(self) -> int:
        """Return the most tokens in a pass; a single longer clip is a pass of its own."""
        return self._batcher.token_budget

    @property
    def busy_s(self) -> float:
        """Return the seconds that the device has worked so far; a clip's share is its `score_s`."""
        return self._batcher.busy_s

    @property
    def n_passes(self) -> int:
        """Return the number of passes so far."""
        return self._batcher.n_passes

    @property
    def n_tokens(self) -> int:
        """Return the tokens of all passes so far."""
        return self._batcher.n_tokens

    def score(self, clips: Sequence[Clip]) -> list[ClipScore]:
        """Return one score for each clip, in the order of the clips, as `ah_ray.Scorer` asks."""
        pending = [self._prepare(clip) for clip in clips]
        self._batcher.process([one for one in pending if isinstance(one, PendingClip)])
        return [
            _make_failed_score(clip, one) if isinstance(one, str) else self._make_score(clip, one)
            for clip, one in zip(clips, pending, strict=True)
        ]

    def _prepare(self, clip: Clip) -> PendingClip | str:
        """Return the clip with its layout, or why it cannot be scored."""
        frames, samples = clip.frames, clip.samples
        if frames is None or samples is None:
            return "the clip has no frames"
        if problem := _find_problem(frames, samples):
            return problem
        layout = lay_out_clip(
            self._questionnaire.tree,
            compute_patch_grid(frames.shape),
            count_mel_frames(len(samples)),
            self._profile.grid_seconds(clip.picture_s, len(frames)),
            self._thinker.config.position_id_per_seconds,
            self._profile.floor_positions,
        )
        return PendingClip(frames, samples, layout)

    def _make_score(self, clip: Clip, pending: PendingClip) -> ClipScore:
        """Return the score of a clip that is done. Raise the device's error if it was lost."""
        try:
            output = pending.output.result()
        except ClipTooLarge as error:
            return _make_failed_score(
                clip, f"{error} in the replica's memory; use a profile with fewer pixels"
            )
        if not output.is_finite:
            problem = "the model gave no finite probability for this clip"
            return _make_failed_score(clip, problem, output.seconds)
        first, its = self._questionnaire.questions[0].question, output.answers[0]
        answers, contrasts = _list_answers(self._questionnaire, output)
        return ClipScore(
            clip_index=clip.clip_index,
            start_s=clip.start_s,
            end_s=clip.end_s,
            p_ah=its.p[first.answers.index(first.positive or first.answers[0])],
            answer_mass=its.mass,
            format_mass=output.format_mass,
            n_frames=0 if clip.frames is None else len(clip.frames),
            score_s=output.seconds,
            answers=answers,
            contrasts=contrasts,
            embedding=output.embedding,
        )


def _list_answers(
    questionnaire: Questionnaire, output: ClipOutput
) -> tuple[list[AnswerScore], list[ContrastScore]]:
    """Return all answers and contrasts; none if P(A/H) and its complement are all there is."""
    asked = questionnaire.questions
    if len(asked) == 1 and len(asked[0].answers) == 2:
        return [], []
    by_name = {one.question.name: its.p for one, its in zip(asked, output.answers, strict=True)}
    answers = [
        AnswerScore(question=one.question.name, answer=answer, p=p, mass=its.mass)
        for one, its in zip(asked, output.answers, strict=True)
        for answer, p in zip(one.question.answers, its.p, strict=True)
    ]
    contrasts = [
        ContrastScore(
            contrast=contrast.name,
            distance=measure_contrast(*(by_name[name] for name in contrast.between)),
        )
        for contrast in questionnaire.contrasts
    ]
    return answers, contrasts


def _find_problem(frames: np.ndarray, samples: np.ndarray) -> str | None:
    """Return why these frames or samples cannot be scored, or None."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or 0 in frames.shape or frames.shape[3] != 3:
        return f"the frames are {frames.dtype} {frames.shape}, not uint8 [T, H, W, 3]"
    if frames.shape[1] % UNIT_PX or frames.shape[2] % UNIT_PX:
        return f"frames of {frames.shape[2]}×{frames.shape[1]} px: not multiples of {UNIT_PX}"
    if samples.ndim != 1 or not np.isfinite(samples).all():
        return "the sound holds values that are not finite"
    return None


def _make_failed_score(clip: Clip, problem: str, seconds: float = 0.0) -> ClipScore:
    return failed_score(clip, ErrorKind.SCORING, problem, score_s=seconds)
