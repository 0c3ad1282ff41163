"""Build a profile's prompt as token ids, with one slot for the video and one for the sound.

The chat text equals, byte for byte, the text that the models were trained on. No template from a
checkpoint is executed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.tokenizer import find_special_id
from ah_ray.profile import Profile, Question, Sees, fill_slots

VIDEO_PAD = "<|video_pad|>"
AUDIO_PAD = "<|audio_pad|>"
SPECIAL = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|audio_start|>",
    "<|audio_end|>", VIDEO_PAD, AUDIO_PAD,
)  # fmt: skip


class Slot(Enum):
    """A part of the prompt whose length depends on the clip."""

    VIDEO = VIDEO_PAD
    AUDIO = AUDIO_PAD


Piece = tuple[int, ...] | Slot
"""Token ids that follow one another, or a slot."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids and slots in order: `(ids, Slot.VIDEO, ids, Slot.AUDIO, ids)` for `seed`."""

    pieces: tuple[Piece, ...]
    video_pad: int
    audio_pad: int

    def add_tokens(self, tokens: tuple[int, ...]) -> Prompt:
        """Return the prompt followed by these tokens."""
        *pieces, last = self.pieces
        assert not isinstance(last, Slot)  # the chat text goes on after the clip
        return replace(self, pieces=(*pieces, (*last, *tokens)))

    def token_ids(self, n_video: int, n_audio: int) -> list[int]:
        """Return all token ids [S] of a clip with this many video and audio tokens."""
        filled: list[int] = []
        for piece in self.pieces:
            if piece is Slot.VIDEO:
                filled += [self.video_pad] * n_video
            elif piece is Slot.AUDIO:
                filled += [self.audio_pad] * n_audio
            else:
                filled += piece
        return filled


def format_chat(profile: Profile, question: Question | None = None) -> str:
    """Return the prompt as text, up to the assistant's answer, with one pad token for each slot.

    `question` is one of `profile.complete_questions`, by default the first.
    """
    user = fill_slots(
        profile.user_text(question or profile.complete_questions[0]),
        {
            "<video>": f"<|vision_start|>{VIDEO_PAD}<|vision_end|>",
            "<audio>": f"<|audio_start|>{AUDIO_PAD}<|audio_end|>",
        },
    )
    system = "" if profile.system is None else f"<|im_start|>system\n{profile.system}<|im_end|>\n"
    return f"{system}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def build_prompt(
    profile: Profile,
    tokenizer: Tokenizer,
    answer_start: tuple[int, ...],
    question: Question | None = None,
) -> Prompt:
    """Return the prompt of a question, followed by the first tokens of every answer.

    `question` is one of `profile.complete_questions`, by default the first. Raise ConfigError if
    the tokenizer lacks one of Qwen3-Omni's special tokens.
    """
    question = question or profile.complete_questions[0]
    special = {token: find_special_id(tokenizer, token) for token in SPECIAL}
    slots = {special[slot.value]: slot for slot in Slot}
    pieces: list[Piece] = []
    text: list[int] = []
    for token in tokenizer.encode(format_chat(profile, question), add_special_tokens=False).ids:
        if token in slots:
            pieces += [tuple(text), slots[token]]
            text = []
        else:
            text.append(token)
    pieces.append((*text, *answer_start))
    n_slots = len(Slot) if question.sees is Sees.BOTH else 1
    if sum(isinstance(piece, Slot) for piece in pieces) != n_slots:
        raise ConfigError(f"profile {profile.name}: write <video> and <audio>, not the pad tokens")
    return Prompt(tuple(pieces), special[VIDEO_PAD], special[AUDIO_PAD])
