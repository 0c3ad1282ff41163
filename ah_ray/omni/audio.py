"""Sound → Whisper's log-mel spectrogram, and how many tokens the audio tower makes of it.

Reference: WhisperFeatureExtractor of transformers with 128 bins. Each clip is transformed alone:
padding it to others' lengths would change its values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

SAMPLE_RATE_HZ = 16_000
N_MELS = 128
N_FFT = 400
HOP = 160
CHUNK = 100
"""Mel frames (1 s) that the audio tower's convolutions see at a time."""

_CHUNK_TOKENS = 13


def n_mel_frames(n_samples: int) -> int:
    """Mel frames F of a sound; under one analysis window it is padded to one (F = 2)."""
    return max(n_samples, N_FFT) // HOP


def n_audio_tokens(n_frames: int) -> int:
    """Tokens of F mel frames: 13 a chunk of 100, and three stride-2 convolutions of the rest."""
    chunks, rest = divmod(n_frames, CHUNK)
    for _ in range(3):
        rest = (rest + 1) // 2
    return _CHUNK_TOKENS * chunks + rest


def sound_groups(n_mel_frames: Sequence[int]) -> list[list[int]]:
    """Indices of the clips whose sound may pass the audio tower together.

    The tower pads its chunks to the longest in the call, so sounds under one chunk (1 s) would
    depend on their neighbours: they share a call only with sounds of the same length.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for clip, n_frames in enumerate(n_mel_frames):
        groups[min(n_frames, CHUNK)].append(clip)
    return list(groups.values())


@lru_cache(maxsize=8)
def _mel_filters(device: torch.device) -> torch.Tensor:
    """[201, 128] float32."""
    filters = mel_filter_bank(
        num_frequency_bins=1 + N_FFT // 2,
        num_mel_filters=N_MELS,
        min_frequency=0.0,
        max_frequency=SAMPLE_RATE_HZ / 2,
        sampling_rate=SAMPLE_RATE_HZ,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters).to(device, torch.float32)


@lru_cache(maxsize=8)
def _window(device: torch.device) -> torch.Tensor:
    return torch.hann_window(N_FFT, device=device)


def chunks(mel: torch.Tensor) -> torch.Tensor:
    """Log-mel [128, F] → the tower's chunks [ceil(F / 100), 128, 100], the last padded with zeros.

    A sound under one chunk stays as short as it is: [1, 128, F].
    """
    if mel.shape[1] < CHUNK:
        return mel[None]
    padded = F.pad(mel, (0, -mel.shape[1] % CHUNK))
    return padded.unflatten(1, (-1, CHUNK)).transpose(0, 1)


def log_mel(samples: torch.Tensor) -> torch.Tensor:
    """Samples [N] float32, 16 kHz mono → log-mel [128, F] float32.

    The floor is 8 (80 dB) below the loudest bin of this clip.
    """
    samples = F.pad(samples, (0, max(0, N_FFT - len(samples))))
    spectrum = torch.stft(
        samples, N_FFT, HOP, window=_window(samples.device), return_complex=True, pad_mode="reflect"
    )
    power = torch.view_as_real(spectrum[:, :-1]).square().sum(-1)
    mel = _mel_filters(samples.device).T @ power
    log = mel.clamp(min=1e-10).log10()
    return (log.maximum(log.max() - 8.0) + 4.0) / 4.0
