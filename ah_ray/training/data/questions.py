"""Build what a clip is asked in training, and the tokens of the right answer.

The prompt is the profile's, as in scoring; a labelled window may ask another, simpler question. The
target is the whole answer with the token that ends the turn, as in ms-swift:
`<answer>Yes</answer><|im_end|>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.audio import count_mel_frames
from ah_ray.omni.inputs.forks import PromptTree
from ah_ray.omni.inputs.layout import ClipLayout, lay_out_clip
from ah_ray.omni.inputs.prompt import SPECIAL, build_prompt
from ah_ray.omni.inputs.tokenizer import find_special_id
from ah_ray.omni.inputs.vision import compute_patch_grid
from ah_ray.profile import Profile, count_slots
from ah_ray.records import Clip

END = "<|im_end|>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledClip:
    """A decoded window with its label."""

    window: int  # its row in the labelled manifest
    clip: Clip
    label: bool
    question: str | None = None  # null: the profile's
    weight: float = 1.0


def check_question(question: str) -> None:
    """Raise ConfigError if a question does not hold `<video>` and `<audio>` exactly once each."""
    for slot in ("<video>", "<audio>"):
        if count_slots(question, slot) != 1:
            raise ConfigError(
                f"the question {question[:200]!r} must hold {slot} exactly once, where the model "
                "meets it"
            )
    for special in SPECIAL:
        if special in question:
            raise ConfigError(
                f"the question {question[:200]!r} holds {special}, which is a token of the chat "
                "format; write <video> and <audio> only"
            )


class Questions:
    """Prompts and answers of one profile in one model's tokenizer."""

    def __init__(self, profile: Profile, tokenizer: Tokenizer, ids_per_second: float):
        self.profile = profile
        self.tokenizer = tokenizer
        self._ids_per_second = ids_per_second
        end = find_special_id(tokenizer, END)
        self.yes, self.no = (
            (*tokenizer.encode(text, add_special_tokens=False).ids, end)
            for text in (profile.answer_text(True), profile.answer_text(False))
        )
        self._prompt = lru_cache(maxsize=64)(self._build)

    def target(self, label: bool) -> tuple[int, ...]:
        """Return the tokens of the right answer."""
        return self.yes if label else self.no

    def lay_out(self, clip: Clip, question: str | None, answer: tuple[int, ...]) -> ClipLayout:
        """Return the clip's sequence with all but the last token of `answer`.

        Each token of the answer is predicted by the token before it, and the last predicts nothing.
        """
        frames, samples = clip.frames, clip.samples
        assert frames is not None and samples is not None  # a labelled clip is a decoded one
        return lay_out_clip(
            self._prompt(question, answer[:-1]),
            compute_patch_grid(frames.shape),
            count_mel_frames(len(samples)),
            self.profile.grid_seconds(clip.picture_s, len(frames)),
            self._ids_per_second,
            self.profile.floor_positions,
        )

    def _build(self, question: str | None, answer: tuple[int, ...]) -> PromptTree:
        profile = self.profile
        if question is not None:
            check_question(question)
            profile = profile.model_copy(update={"user": question, "questions": ()})
        return PromptTree.from_prompt(build_prompt(profile, self.tokenizer, answer))
