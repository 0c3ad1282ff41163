"""How many tokens fit into one pass on a GPU: measured, with one trial pass."""

from __future__ import annotations

from math import isqrt

import numpy as np
import torch

from ah_ray.errors import ConfigError
from ah_ray.omni.answer import Answer, p_ah
from ah_ray.omni.audio import SAMPLE_RATE_HZ, n_mel_frames
from ah_ray.omni.conveyor import is_out_of_memory
from ah_ray.omni.layout import ClipLayout, lay_out_clip, lay_out_pack
from ah_ray.omni.prompt import Prompt
from ah_ray.omni.thinker import Thinker
from ah_ray.omni.vision import UNIT_PX, patch_grid
from ah_ray.profile import Profile

MOST_TOKENS = 65_536
"""More would not be faster: a pass is bound by arithmetic from about 10,000 tokens on."""

_TRIAL_TOKENS = 12_000
_TRIAL_S = 5.0
_SHARE = 0.85  # of what is free; the rest is for fragments, and the pack that is staged ahead


def token_budget(free_bytes: int, trial_bytes: int, trial_tokens: int) -> int:
    """Tokens whose pass fits, if `trial_tokens` took `trial_bytes`; in full thousands.

    What a pass needs whatever its size counts as if it grew with it, so this errs on the safe side.
    """
    fit = int(free_bytes * _SHARE * trial_tokens / max(1, trial_bytes))
    return max(1, min(MOST_TOKENS, fit // 1000 * 1000))


def measure_budget(thinker: Thinker, prompt: Prompt, answer: Answer, profile: Profile) -> int:
    """One pass over clips of the profile's largest size, and what it takes of each GPU's memory.

    It also has the kernels compiled before the first clip comes. Raises ConfigError if not even
    one clip fits.
    """
    frames, samples, layout = _trial_clip(thinker, prompt, profile)
    n_clips = max(1, _TRIAL_TOKENS // layout.n_tokens)
    while True:
        try:
            pack = lay_out_pack([layout] * n_clips, answer.n_reads, thinker.config)
            for device in thinker.devices:
                torch.cuda.reset_peak_memory_stats(device)
            before = {d: torch.cuda.memory_allocated(d) for d in thinker.devices}
            staged = thinker.stage([frames] * n_clips, [samples] * n_clips, pack)
            p_ah(answer, thinker.log_probabilities(staged))[0].tolist()
            taken = {d: torch.cuda.max_memory_allocated(d) - before[d] for d in thinker.devices}
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if n_clips == 1:
                raise ConfigError(
                    f"profile {profile.name}: one clip of {layout.n_tokens} tokens does not fit on "
                    "the GPU beside the weights; use a profile with fewer pixels, or larger GPUs"
                ) from error
            n_clips //= 2
        thinker.release()
    del staged
    thinker.release()
    n_tokens = n_clips * layout.n_tokens
    return min(
        token_budget(torch.cuda.mem_get_info(device)[0], taken[device], n_tokens)
        for device in thinker.devices
    )


def _trial_clip(
    thinker: Thinker, prompt: Prompt, profile: Profile
) -> tuple[np.ndarray, np.ndarray, ClipLayout]:
    """A clip as large as the profile allows: noise, and silence."""
    side = max(UNIT_PX, isqrt(profile.max_pixels) // UNIT_PX * UNIT_PX)
    n_frames = max(profile.min_frames, round(_TRIAL_S * profile.fps) // 2 * 2)
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (n_frames, side, side, 3), dtype=np.uint8)
    samples = np.zeros(round(_TRIAL_S * SAMPLE_RATE_HZ), np.float32)
    layout = lay_out_clip(
        prompt,
        patch_grid(frames.shape),
        n_mel_frames(len(samples)),
        profile.second_per_grid,
        thinker.config.position_id_per_seconds,
    )
    return frames, samples, layout
