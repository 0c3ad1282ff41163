"""Compute Whisper's log-mel spectrogram, and count the tokens that the audio tower makes of it.

Reference: WhisperFeatureExtractor of transformers with 128 bins. Each clip is transformed alone:
padding it to the length of others would change its values.
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
"""Mel frames (1 s) that the convolutions of the audio tower see at once."""

_CHUNK_TOKENS = 13


def count_mel_frames(n_samples: int) -> int:
    """Return the mel frames F of a sound; a sound under one analysis window is padded to F = 2."""
    return max(n_samples, N_FFT) // HOP


def count_audio_tokens(n_frames: int) -> int:
    """Return the tokens of F mel frames: 13 for each chunk of 100, and fewer for the rest."""
    chunks, rest = divmod(n_frames, CHUNK)
    for _ in range(3):
        rest = (rest + 1) // 2
    return _CHUNK_TOKENS * chunks + rest


def group_sounds(n_mel_frames: Sequence[int]) -> list[list[int]]:
    """Return the indices of the clips whose sound may pass through the audio tower together.

    The tower pads its chunks to the longest one in the call, so a sound under one chunk (1 s) would
    depend on its neighbours. Such sounds share a call only with sounds of the same length.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for clip, n_frames in enumerate(n_mel_frames):
        groups[min(n_frames, CHUNK)].append(clip)
    return list(groups.values())


@lru_cache(maxsize=8)
def _make_mel_filters(device: torch.device) -> torch.Tensor:
    """Return the filters [201, 128] float32."""
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
def _make_hann_window(device: torch.device) -> torch.Tensor:
    return torch.hann_window(N_FFT, device=device)


def split_chunks(mel: torch.Tensor) -> torch.Tensor:
    """Split log-mel [128, F] into the tower's chunks [ceil(F / 100), 128, 100], padded with zeros.

    A sound under one chunk is not padded: [1, 128, F].
    """
    if mel.shape[1] < CHUNK:
        return mel[None]
    padded = F.pad(mel, (0, -mel.shape[1] % CHUNK))
    split: torch.Tensor = padded.unflatten(1, (-1, CHUNK))
    return split.transpose(0, 1)


def compute_log_mel(samples: torch.Tensor) -> torch.Tensor:
    """Return the log-mel spectrogram [128, F] float32 of samples [N] float32, 16 kHz mono.

    The floor is 8 (80 dB) below the loudest bin of this clip.
    """
    samples = F.pad(samples, (0, max(0, N_FFT - len(samples))))
    spectrum = torch.stft(
        samples,
        N_FFT,
        HOP,
        window=_make_hann_window(samples.device),
        return_complex=True,
        pad_mode="reflect",
    )
    power = torch.view_as_real(spectrum[:, :-1]).square().sum(-1)
    mel = _make_mel_filters(samples.device).T @ power
    log = mel.clamp(min=1e-10).log10()
    return (log.maximum(log.max() - 8.0) + 4.0) / 4.0
