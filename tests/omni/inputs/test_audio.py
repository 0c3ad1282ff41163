"""Log-mel and token counts against the public reference code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import (
    _get_feat_extract_output_lengths,
    chunk_and_pad_features,
)

from ah_ray.omni.inputs.audio import (
    compute_log_mel,
    count_audio_tokens,
    count_mel_frames,
    group_sounds,
    split_chunks,
)

GOLDEN = np.load(Path(__file__).parents[2] / "goldens" / "audio_mel.npz")


@pytest.mark.parametrize("clip", ["clip0", "clip1", "clip2", "clip3"])
def test_log_mel_is_the_references(clip):
    samples, expected = GOLDEN[f"{clip}_samples_16khz"], GOLDEN[f"{clip}_mel_128xF"]
    mel = compute_log_mel(torch.from_numpy(samples)).numpy()
    assert mel.shape == expected.shape == (128, count_mel_frames(len(samples)))
    assert np.abs(mel - expected).max() <= 1e-4
    assert count_audio_tokens(mel.shape[1]) == GOLDEN[f"{clip}_n_tokens"]


def test_five_seconds_are_65_tokens():
    assert count_audio_tokens(count_mel_frames(80_000)) == 65


def test_silence_is_flat():
    mel = compute_log_mel(torch.zeros(16_000))
    assert mel.shape == (128, 100)
    assert (mel == mel[0, 0]).all()


@given(st.integers(0, 3000))
def test_token_counts(n_frames):
    expected = _get_feat_extract_output_lengths(torch.tensor([n_frames]), 50)
    assert count_audio_tokens(n_frames) == int(expected)


@given(st.integers(0, 2000))
def test_any_length_has_as_many_frames_as_said(n_samples):
    """Also where the reference fails or pads: there is always something for the sound's slot."""
    mel = compute_log_mel(torch.full((n_samples,), 0.1))
    assert mel.shape == (128, count_mel_frames(n_samples))
    assert mel.isfinite().all()
    assert count_audio_tokens(mel.shape[1]) >= 1


def test_padding_would_change_a_clip():
    """Why each clip is transformed alone: the reference's own batch differs from its parts."""
    quiet, long = np.full(8_000, 1e-3, np.float32), GOLDEN["clip0_samples_16khz"]
    batch = WhisperFeatureExtractor(feature_size=128)(
        [quiet, long], sampling_rate=16_000, padding="longest", return_tensors="np"
    )
    padded = batch["input_features"][0, :, :50]
    assert np.abs(padded - compute_log_mel(torch.from_numpy(quiet)).numpy()).max() > 0.1


@given(st.lists(st.integers(100, 450), min_size=1, max_size=4))
def test_chunks_are_the_towers(lengths):
    mels = [torch.randn(128, length) for length in lengths]
    expected, _ = chunk_and_pad_features(torch.cat(mels, 1), torch.tensor(lengths), 50)
    assert torch.equal(torch.cat([split_chunks(mel) for mel in mels]), expected)


def test_a_short_sound_stays_short():
    mel = torch.randn(128, 37)
    expected, _ = chunk_and_pad_features(mel, torch.tensor([37]), 50)
    assert torch.equal(split_chunks(mel), expected)


@given(st.lists(st.integers(2, 300)))
def test_short_sounds_meet_only_their_equals(lengths):
    groups = group_sounds(lengths)
    assert sorted(clip for group in groups for clip in group) == list(range(len(lengths)))
    for group in groups:
        found = {lengths[clip] for clip in group}
        assert len(found) == 1 or min(found) >= 100
    assert sum(all(lengths[clip] >= 100 for clip in group) for group in groups) <= 1
