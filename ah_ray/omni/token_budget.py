"""Find how many tokens fit in one pass on a GPU, with one trial pass.

So this decides how many clips a GPU scores at once: those of one call
(`ah_ray.interfaces.scorer.CLIPS_PER_GPU_CALL`) share a pass as far as their tokens fit.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import torch

from ah_ray.errors import ConfigError
from ah_ray.omni.batcher import is_out_of_memory
from ah_ray.omni.inputs.audio import SAMPLE_RATE_HZ, count_mel_frames
from ah_ray.omni.inputs.forks import PromptTree
from ah_ray.omni.inputs.layout import ClipLayout, lay_out_clip, lay_out_pack
from ah_ray.omni.inputs.vision import UNIT_PX, compute_patch_grid
from ah_ray.omni.model.thinker import Thinker
from ah_ray.profile import Profile

MOST_TOKENS = 65_536
"""A larger pass would not be faster: from about 10,000 tokens on, arithmetic limits its speed."""

_TRIAL_TOKENS = 12_000
_TRIAL_S = 5.0
_SHARE = 0.85  # of the free memory; the rest is for fragments and for the next staged pack


def estimate_token_budget(free_bytes: int, trial_bytes: int, trial_tokens: int) -> int:
    """Return how many tokens fit if `trial_tokens` took `trial_bytes`, in full thousands.

    Memory that a pass needs at any size is counted as if it grew with the size, so the result is
    rather too small.
    """
    fit = int(free_bytes * _SHARE * trial_tokens / max(1, trial_bytes))
    return max(1, min(MOST_TOKENS, fit // 1000 * 1000))


def measure_budget(thinker: Thinker, tree: PromptTree, profile: Profile) -> int:
    """Return the token budget after one pass over clips of the profile's largest size.

    The clips are asked all that the job asks, so the budget holds the forks of its questions, and
    the copies of keys and values that attention makes for them. The pass also compiles the kernels
    before the first clip arrives. Raise ConfigError if not even one clip fits.
    """
    clip = _make_trial_clip(thinker, tree, profile)
    n_tokens_each = clip[2].n_tokens
    n_clips = max(1, _TRIAL_TOKENS // n_tokens_each)
    while True:
        try:
            taken = _measure_pass_memory(thinker, clip, n_clips)
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if n_clips == 1:
                raise ConfigError(
                    f"profile {profile.name}: one clip of {n_tokens_each} tokens does not fit on "
                    "the GPU beside the weights; use a profile with fewer pixels, or larger GPUs"
                ) from error
            n_clips //= 2
        thinker.release()
    thinker.release()
    n_tokens = n_clips * n_tokens_each
    return min(
        estimate_token_budget(torch.cuda.mem_get_info(device)[0], taken[device], n_tokens)
        for device in thinker.devices
    )


TrialClip = tuple[np.ndarray, np.ndarray, ClipLayout]
"""Frames, samples and layout of a clip."""


def _measure_pass_memory(
    thinker: Thinker, clip: TrialClip, n_clips: int
) -> dict[torch.device, int]:
    """Return the bytes that staging and passing n copies of a clip take on each device.

    A function of its own: whether it returns or runs out of memory, its pack is freed, so a next
    trial does not begin with the pack of this one on the device.
    """
    frames, samples, layout = clip
    pack = lay_out_pack([layout] * n_clips, thinker.config)
    for device in thinker.devices:
        torch.cuda.reset_peak_memory_stats(device)
    before = {device: torch.cuda.memory_allocated(device) for device in thinker.devices}
    staged = thinker.stage([frames] * n_clips, [samples] * n_clips, pack)
    thinker.compute_log_probabilities(staged.wait()).tolist()
    return {
        device: torch.cuda.max_memory_allocated(device) - before[device]
        for device in thinker.devices
    }


def _make_trial_clip(thinker: Thinker, tree: PromptTree, profile: Profile) -> TrialClip:
    """Return the largest clip that the profile allows: noise for frames, and silence."""
    side = max(UNIT_PX, isqrt(profile.pixel_limit) // UNIT_PX * UNIT_PX)
    n_frames = max(profile.min_frames, round(_TRIAL_S * profile.fps) // 2 * 2)
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (n_frames, side, side, 3), dtype=np.uint8)
    samples = np.zeros(round(_TRIAL_S * SAMPLE_RATE_HZ), np.float32)
    layout = lay_out_clip(
        tree,
        compute_patch_grid(frames.shape),
        count_mel_frames(len(samples)),
        profile.grid_seconds(_TRIAL_S, n_frames),
        thinker.config.position_id_per_seconds,
        profile.floor_positions,
    )
    return frames, samples, layout
