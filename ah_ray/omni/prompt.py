"""A profile's prompt as token ids, with a slot for the picture and one for the sound.

The chat text is built here byte for byte as the models were trained on it; no template that comes
with a checkpoint is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.tokens import special_id
from ah_ray.profile import Profile

VIDEO_PAD = "<|video_pad|>"
AUDIO_PAD = "<|audio_pad|>"
_SPECIAL = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|audio_start|>",
    "<|audio_end|>", VIDEO_PAD, AUDIO_PAD,
)  # fmt: skip


class Slot(Enum):
    """A place in the prompt that is as long as the clip needs."""

    VIDEO = VIDEO_PAD
    AUDIO = AUDIO_PAD


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids with slots, in order; `(ids, Slot.VIDEO, ids, Slot.AUDIO, ids)` for `seed`."""

    pieces: tuple[tuple[int, ...] | Slot, ...]
    video_pad: int
    audio_pad: int

    def ids(self, n_video: int, n_audio: int) -> list[int]:
        """All token ids [S] of a clip with this many picture and sound tokens."""
        filled: list[int] = []
        for piece in self.pieces:
            if piece is Slot.VIDEO:
                filled += [self.video_pad] * n_video
            elif piece is Slot.AUDIO:
                filled += [self.audio_pad] * n_audio
            else:
                filled += piece
        return filled


def chat_text(profile: Profile) -> str:
    """The prompt as text, up to where the assistant's answer begins; one pad token a slot."""
    user = profile.user.replace("<video>", f"<|vision_start|>{VIDEO_PAD}<|vision_end|>")
    user = user.replace("<audio>", f"<|audio_start|>{AUDIO_PAD}<|audio_end|>")
    system = "" if profile.system is None else f"<|im_start|>system\n{profile.system}<|im_end|>\n"
    return f"{system}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def build_prompt(profile: Profile, tokenizer: Tokenizer, answer_start: tuple[int, ...]) -> Prompt:
    """The profile's prompt, with the first tokens of every answer put into the model's mouth.

    Raises ConfigError if the tokenizer lacks one of Qwen3-Omni's special tokens.
    """
    special = {token: special_id(tokenizer, token) for token in _SPECIAL}
    slots = {special[slot.value]: slot for slot in Slot}
    pieces: list[tuple[int, ...] | Slot] = []
    text: list[int] = []
    for token in tokenizer.encode(chat_text(profile), add_special_tokens=False).ids:
        if token in slots:
            pieces += [tuple(text), slots[token]]
            text = []
        else:
            text.append(token)
    pieces.append((*text, *answer_start))
    if sum(isinstance(piece, Slot) for piece in pieces) != len(Slot):
        raise ConfigError(f"profile {profile.name}: write <video> and <audio>, not the pad tokens")
    return Prompt(tuple(pieces), special[VIDEO_PAD], special[AUDIO_PAD])
