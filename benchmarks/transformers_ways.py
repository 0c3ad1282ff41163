"""The same clips through transformers' own code: as published, and in batches.

Both get their inputs from our front ends on the CPU, which are faster than the processors that the
published code calls, and transformers' fast experts; what is compared is the way to run the model.
Where a prefill or a training step reads few logits, only those are computed, as in ours: computing
all of them would take 5% of the time, and much memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.omni.answer import compute_answers
from ah_ray.omni.inputs.audio import compute_log_mel, count_audio_tokens
from ah_ray.omni.inputs.prompt import build_prompt
from ah_ray.omni.inputs.vision import MERGE, compute_patch_grid, make_patches
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.profile import YES, Profile
from ah_ray.records import Clip

ANSWER_TOKENS = 7  # `<answer>Yes</answer>` and the end of turn, as a fine-tuned model says them
_PARTS = ("text_config", "vision_config", "audio_config")


class TransformersWays:
    """A model whose attention is set to SDPA while this uses it."""

    def __init__(
        self,
        model: Qwen3OmniMoeThinkerForConditionalGeneration,
        tokenizer: Tokenizer,
        profile: Profile,
    ):
        self._model = model
        self._tokenizer = tokenizer
        self._asked = build_prompt(profile, tokenizer, ())
        questionnaire = build_questionnaire(profile.select_questions(()), tokenizer)
        (line,) = questionnaire.tree.lines
        self._begun, self._n_reads = line.prompt, line.n_reads
        self._picks = torch.tensor(questionnaire.tree.picks).unbind(1)
        self._question = questionnaire.questions[0]
        self._profile = profile

    def set_attention(self, name: str) -> None:
        self._model.set_attn_implementation(dict.fromkeys(_PARTS, name))

    @torch.inference_mode()
    def published(self, clips: Sequence[Clip]) -> None:
        """`generate` for each clip: the answer as text, token by token."""
        for clip in clips:
            self._model.generate(
                **self._inputs([clip], self._asked),
                do_sample=False,
                min_new_tokens=ANSWER_TOKENS,
                max_new_tokens=ANSWER_TOKENS,
                pad_token_id=0,
            ).tolist()

    @torch.inference_mode()
    def batched(self, clips: Sequence[Clip], batch: int) -> list[float]:
        """P(A/H) by one prefill for `batch` clips of one size."""
        found: list[float] = []
        for start in range(0, len(clips), batch):
            inputs = self._inputs(clips[start : start + batch], self._begun)
            with self._last_logits(self._n_reads):
                logits = self._model(**inputs, use_cache=False).logits
            log_p = logits.float().log_softmax(-1)[:, *self._picks]
            p = compute_answers(self._question, log_p)[0]
            found += p[:, self._question.question.answers.index(YES)].tolist()
        return found

    def learn(self, clips: Sequence[Clip], answer: tuple[int, ...], batch: int) -> None:
        """Add the gradients of the mean loss of each padded batch, as trainers call it."""
        prompt = build_prompt(self._profile, self._tokenizer, answer)
        for start in range(0, len(clips), batch):
            inputs = self._inputs(clips[start : start + batch], prompt)
            with self._last_logits(len(answer) + 1):
                logits = self._model(**inputs, use_cache=False).logits[:, :-1]
            targets = inputs["input_ids"][:, -len(answer) :]
            F.cross_entropy(logits.float().flatten(0, 1), targets.flatten()).backward()

    @contextmanager
    def _last_logits(self, n: int) -> Iterator[None]:
        """Have the model compute the logits of the last n positions only."""
        head = self._model.lm_head
        hook = head.register_forward_pre_hook(lambda _, hidden: (hidden[0][:, -n:],))
        try:
            yield
        finally:
            hook.remove()

    def _inputs(self, clips: Sequence[Clip], prompt) -> dict[str, torch.Tensor]:
        """What the processor would give, on the model's device."""
        grids = [compute_patch_grid(clip.frames.shape) for clip in clips]
        mels = torch.stack([compute_log_mel(torch.from_numpy(clip.samples)) for clip in clips])
        n_sound = count_audio_tokens(mels.shape[-1])
        ids = [prompt.token_ids(t * h * w // MERGE**2, n_sound) for t, h, w in grids]
        inputs = {
            "input_ids": torch.tensor(ids),
            "attention_mask": torch.ones(len(ids), len(ids[0]), dtype=torch.long),
            "pixel_values_videos": torch.cat(
                [make_patches(torch.from_numpy(clip.frames)) for clip in clips]
            ),
            "video_grid_thw": torch.tensor(grids),
            "input_features": mels.to(self._model.dtype),
            "feature_attention_mask": torch.ones(len(clips), mels.shape[-1], dtype=torch.long),
            "video_second_per_grid": torch.tensor(
                [self._profile.grid_seconds(clip.picture_s, len(clip.frames)) for clip in clips]
            ),
        }
        return {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
