"""What the reference shows a model of a cut clip, step by step, by none of our own code.

Frames: `smart_nframes`, `linspace` and `smart_resize` of qwen_omni_utils 0.0.9, and torch's bicubic
resize of RGB pictures. Sound, ids and positions: transformers' feature extractor, tokenizer and
`get_rope_index`. The profile says which age of the reference it is: one resize or two, and times.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from accelerate import init_empty_weights
from tokenizers import Tokenizer
from transformers import (
    Qwen3OmniMoeThinkerConfig,
    Qwen3OmniMoeThinkerForConditionalGeneration,
    WhisperFeatureExtractor,
)

from ah_ray.omni.inputs.prompt import format_chat
from ah_ray.profile import SAMPLED, Profile

SAMPLE_RATE_HZ = 16_000
PATCH_PX, MERGE = 16, 2
_VIDEO_PAD, _AUDIO_PAD = "<|video_pad|>", "<|audio_pad|>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """A clip after each step on its way to the model."""

    picks: np.ndarray  # [T] which of the clip's pictures
    frames: np.ndarray  # [T, H, W, 3] uint8
    samples: np.ndarray  # [N] float32
    mel: np.ndarray  # [128, F]
    ids: np.ndarray  # [S]
    positions: np.ndarray  # [3, S]
    n_pictures: int
    seconds: float  # that they last

    @property
    def grid(self) -> tuple[int, int, int]:
        """Return t, h and w in patches."""
        n_frames, height_px, width_px, _ = self.frames.shape
        return n_frames // 2, height_px // PATCH_PX, width_px // PATCH_PX


class Reference:
    """The reference's steps with one model's tokenizer and config, and one profile."""

    def __init__(self, config: Qwen3OmniMoeThinkerConfig, tokenizer: Tokenizer, profile: Profile):
        with init_empty_weights():
            self._model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
        self._tokenizer = tokenizer
        self._profile = profile
        self._extractor = WhisperFeatureExtractor(feature_size=128, sampling_rate=SAMPLE_RATE_HZ)

    def steps(self, mp4: Path, wav: Path) -> Steps:
        """Return what the reference makes of a clip: its pictures and its sound."""
        n_pictures, fps = count_pictures(mp4)
        n_frames = smart_nframes(self._profile, n_pictures, fps)
        picks = torch.linspace(0, n_pictures - 1, n_frames).round().long().numpy()
        frames = resized(rgb_pictures(mp4, picks), self._profile)
        samples = read_wav(wav)
        mel = self._mel(samples)
        grid = (len(frames) // 2, frames.shape[1] // PATCH_PX, frames.shape[2] // PATCH_PX)
        ids = self._ids(grid, mel.shape[1])
        sample_fps = n_frames / max(n_pictures, 1e-6) * fps
        return Steps(
            picks=picks,
            frames=frames,
            samples=samples,
            mel=mel,
            ids=ids,
            positions=self._positions(ids, grid, mel.shape[1], sample_fps),
            n_pictures=n_pictures,
            seconds=n_pictures / fps,
        )

    def _mel(self, samples: np.ndarray) -> np.ndarray:
        found = self._extractor(
            samples,
            sampling_rate=SAMPLE_RATE_HZ,
            padding=True,
            truncation=False,
            return_attention_mask=True,
            return_tensors="np",
        )
        n_mel_frames = int(found["attention_mask"].sum())
        return found["input_features"][0][:, :n_mel_frames]

    def _ids(self, grid: tuple[int, int, int], n_mel_frames: int) -> np.ndarray:
        chunks, rest = divmod(n_mel_frames, 100)
        for _ in range(3):
            rest = (rest - 1) // 2 + 1
        n_video, n_audio = math.prod(grid) // MERGE**2, 13 * chunks + rest
        text = format_chat(self._profile) + "<answer>"
        text = text.replace(_VIDEO_PAD, _VIDEO_PAD * n_video)
        text = text.replace(_AUDIO_PAD, _AUDIO_PAD * n_audio)
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _positions(
        self, ids: np.ndarray, grid: tuple[int, int, int], n_mel_frames: int, sample_fps: float
    ) -> np.ndarray:
        sampled = self._profile.second_per_grid == SAMPLED
        second_per_grid = 2 / sample_fps if sampled else self._profile.second_per_grid
        tokens = torch.from_numpy(ids)[None]
        positions, _ = self._model.get_rope_index(
            tokens,
            video_grid_thw=torch.tensor([grid]),
            attention_mask=torch.ones_like(tokens),
            audio_seqlens=torch.tensor([n_mel_frames]),
            second_per_grids=torch.tensor([second_per_grid], dtype=torch.float32),
        )
        if self._profile.floor_positions:
            positions = positions.to(torch.int64)
        return positions[:, 0].numpy().astype(np.float32)


def count_pictures(mp4: Path) -> tuple[int, float]:
    """Return how many pictures a clip has, and its average rate."""
    with av.open(str(mp4)) as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(stream)), float(stream.average_rate)


def rgb_pictures(mp4: Path, picks: np.ndarray) -> np.ndarray:
    """Return the picked pictures in their own size, `[T, H, W, 3] uint8`, converted as decord does.

    That is libswscale's own converter; one with `accurate_rnd` moves P by up to 0.04.
    """
    wanted = set(picks.tolist())
    found: dict[int, np.ndarray] = {}
    with av.open(str(mp4)) as container:
        stream = container.streams.video[0]
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                size = f"{frame.width}:{frame.height}"
                chain = [("scale", f"{size}:flags=bicubic"), ("format", "rgb24")]
                found[number] = filtered(frame, chain, stream.time_base)
    return np.stack([found[number] for number in picks.tolist()])


def filtered(
    frame: av.VideoFrame, filters: Sequence[tuple[str, str]], time_base: Fraction
) -> np.ndarray:
    """Return a picture after filters of libav (name, arguments), `[H, W, 3] uint8`."""
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=time_base
    )
    for name, arguments in [*filters, ("buffersink", None)]:
        following = graph.add(name, arguments)
        last.link_to(following)
        last = following
    graph.configure()
    graph.push(frame)
    return graph.pull().to_ndarray()


def smart_nframes(profile: Profile, n_pictures: int, fps: float) -> int:
    """Return how many pictures the reference picks: even, and at least `min_frames`."""
    wanted = min(max(n_pictures / fps * profile.fps, profile.min_frames), n_pictures)
    return math.floor(wanted / 2) * 2


def resized(frames: np.ndarray, profile: Profile) -> np.ndarray:
    """Return the frames `[T, H, W, 3] uint8` in the size that the model sees."""
    first = profile.first_resize
    stages = [] if first is None else [(first.factor, first.min_pixels, first.max_pixels)]
    for factor, least, most in [
        *stages,
        (PATCH_PX * MERGE, profile.min_pixels, profile.max_pixels),
    ]:
        height_px, width_px = smart_resize(*frames.shape[1:3], factor, least, most)
        if (height_px, width_px) != frames.shape[1:3]:
            pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
            pixels = torch.nn.functional.interpolate(
                pixels, size=(height_px, width_px), mode="bicubic", antialias=True
            )
            frames = pixels.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return frames


def smart_resize(height: int, width: int, factor: int, least: int, most: int) -> tuple[int, int]:
    """Return (height, width) of one stage, as the reference rounds them."""
    h_bar, w_bar = (max(factor, round(side / factor) * factor) for side in (height, width))
    if h_bar * w_bar > most:
        beta = math.sqrt(height * width / most)
        h_bar, w_bar = (math.floor(side / beta / factor) * factor for side in (height, width))
    elif h_bar * w_bar < least:
        beta = math.sqrt(least / (height * width))
        h_bar, w_bar = (math.ceil(side * beta / factor) * factor for side in (height, width))
    return h_bar, w_bar


def read_wav(wav: Path) -> np.ndarray:
    """Return the samples of a 16 kHz mono wav, `[N] float32` in −1…1."""
    with wave.open(str(wav)) as file:
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, np.int16).astype(np.float32) / 32768
