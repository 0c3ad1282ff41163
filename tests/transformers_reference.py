"""P(A/H) of one clip by transformers' own forward, and nothing of ours but the front ends.

(The front ends have goldens of their own.) No packing, no cut in the last layer, full logits.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

from ah_ray.omni.inputs.audio import compute_log_mel
from ah_ray.omni.inputs.prompt import format_chat
from ah_ray.omni.inputs.vision import make_patches
from ah_ray.profile import Profile, Question, Sees
from ah_ray.records import Clip


class Reference:
    def __init__(self, checkpoint: Path, profile: Profile, attention: str = "sdpa"):
        self.model = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(
            checkpoint, dtype=torch.float32, attn_implementation=attention
        ).eval()
        self._tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
        self._profile = profile

    @torch.inference_mode()
    def p_ah(self, clip: Clip) -> float:
        """P(Yes) over both, from the text `<answer>` and the ids of `>`, `>No`, `Yes` and `No`."""
        logits = self.model(**self.inputs(clip, "<answer>")).logits[0, -2:]
        before, after = logits.double().softmax(-1)
        close, close_no, yes, no = (
            self._tokenizer.token_to_id(t) for t in (">", ">No", "Yes", "No")
        )
        p_yes = before[close] * after[yes]
        p_no = before[close_no] + before[close] * after[no]
        return float(p_yes / (p_yes + p_no))

    @torch.inference_mode()
    def next_log_p(self, clip: Clip, question: Question, tokens: tuple[int, ...]) -> torch.Tensor:
        """Log-probabilities [len(tokens) + 1, V] after the prompt of one question, asked alone.

        The first row is of what follows the prompt, the next of what follows the first token.
        """
        inputs = self.inputs(clip, "", question)
        added = torch.tensor([tokens], dtype=torch.long)
        ids = torch.cat([inputs["input_ids"], added], dim=1)
        logits = self.model(**inputs | {"input_ids": ids, "attention_mask": ids * 0 + 1}).logits
        return logits[0, -len(tokens) - 1 :].double().log_softmax(-1)

    def inputs(
        self, clip: Clip, answer: str, question: Question | None = None
    ) -> dict[str, torch.Tensor]:
        """What transformers' forward takes for a clip with this much of an answer."""
        rows = make_patches(torch.from_numpy(clip.frames))
        t, h, w = len(clip.frames) // 2, clip.frames.shape[1] // 16, clip.frames.shape[2] // 16
        mel = compute_log_mel(torch.from_numpy(clip.samples))
        text = format_chat(self._profile, question) + answer
        text = text.replace("<|video_pad|>", "<|video_pad|>" * (t * h * w // 4))
        text = text.replace("<|audio_pad|>", "<|audio_pad|>" * self._n_sound_tokens(mel))
        ids = torch.tensor([self._tokenizer.encode(text, add_special_tokens=False).ids])
        found = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values_videos": rows,
            "video_grid_thw": torch.tensor([[t, h, w]]),
            "input_features": mel[None],
            "feature_attention_mask": torch.ones(1, mel.shape[1], dtype=torch.long),
            "video_second_per_grid": torch.tensor([self._second_per_grid(clip)]),
        }
        sees = Sees.BOTH if question is None else question.sees
        without = {
            Sees.BOTH: (),
            Sees.PICTURE: ("input_features", "feature_attention_mask"),
            Sees.SOUND: ("pixel_values_videos", "video_grid_thw", "video_second_per_grid"),
        }
        found = {name: value for name, value in found.items() if name not in without[sees]}
        if self._profile.floor_positions:
            found["position_ids"] = self._floored(found, mel.shape[1])
        return found

    def _floored(self, inputs: dict[str, torch.Tensor], n_mel_frames: int) -> torch.Tensor:
        """The positions [3, 1, S] as integers, which is how ms-swift 4.6 trains."""
        positions, _ = self.model.model.get_rope_index(
            inputs["input_ids"],
            video_grid_thw=inputs["video_grid_thw"],
            attention_mask=inputs["attention_mask"],
            audio_seqlens=torch.tensor([n_mel_frames]),
            second_per_grids=inputs["video_second_per_grid"],
        )
        return positions.to(torch.int64)

    def _second_per_grid(self, clip: Clip) -> float:
        """The temporal patch size over the clip's own rate, where the profile asks for that."""
        if self._profile.second_per_grid != "sampled":
            return self._profile.second_per_grid
        sampled_fps = len(clip.frames) / (clip.sampled_s or clip.end_s - clip.start_s)
        return 2 / sampled_fps

    def _n_sound_tokens(self, mel: torch.Tensor) -> int:
        """As many as the audio tower really makes."""
        lengths = torch.tensor([mel.shape[1]])
        return len(self.model.model.audio_tower(mel, feature_lens=lengths).last_hidden_state)
