"""What a clip is asked in training, and the tokens that the model is to answer.

The prompt is the profile's, as in scoring; a labelled window may name another, simpler question in
its place. The target is the whole answer with the token that ends the turn, as ms-swift has it:
`<answer>Yes</answer><|im_end|>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.answer import NO, YES
from ah_ray.omni.audio import n_mel_frames
from ah_ray.omni.layout import ClipLayout, lay_out_clip
from ah_ray.omni.prompt import Prompt, build_prompt
from ah_ray.omni.tokens import special_id
from ah_ray.omni.vision import patch_grid
from ah_ray.profile import Profile
from ah_ray.records import Clip

END = "<|im_end|>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledClip:
    """A decoded window with what it teaches."""

    window: int  # its row in the labelled manifest
    clip: Clip
    label: bool
    question: str | None = None  # null: the profile's
    weight: float = 1.0


class Questions:
    """Prompts and answers of one profile in one model's tokenizer."""

    def __init__(self, profile: Profile, tokenizer: Tokenizer, ids_per_second: float):
        self.profile = profile
        self.tokenizer = tokenizer
        self._ids_per_second = ids_per_second
        end = special_id(tokenizer, END)
        self.yes, self.no = (
            (*tokenizer.encode(text, add_special_tokens=False).ids, end) for text in (YES, NO)
        )
        self._prompt = lru_cache(maxsize=64)(self._build)

    def target(self, label: bool) -> tuple[int, ...]:
        """The tokens that the model is to answer."""
        return self.yes if label else self.no

    def lay_out(self, clip: Clip, question: str | None, answer: tuple[int, ...]) -> ClipLayout:
        """The clip's sequence up to the last token of `answer` but one: each of the answer's
        tokens is predicted by the token before it, and the last one predicts nothing."""
        return lay_out_clip(
            self._prompt(question, answer[:-1]),
            patch_grid(clip.frames.shape),
            n_mel_frames(len(clip.samples)),
            self.profile.second_per_grid,
            self._ids_per_second,
        )

    def _build(self, question: str | None, answer: tuple[int, ...]) -> Prompt:
        profile = self.profile
        if question is not None:
            for slot in ("<video>", "<audio>"):
                if question.count(slot) != 1:
                    raise ConfigError(f"the question {question!r} must hold {slot} exactly once")
            profile = profile.model_copy(update={"user": question})
        return build_prompt(profile, self.tokenizer, answer)
