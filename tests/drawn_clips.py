"""Clips drawn from a seed."""

import numpy as np

from ah_ray.records import Clip


def draw_clip(
    seed: int, *, n_frames: int = 10, height_px: int = 64, width_px: int = 64, seconds: float = 5.0
) -> Clip:
    """A picture of coloured blocks that drifts in brightness, and a tone, with noise in both."""
    random = np.random.default_rng(seed)
    blocks = random.uniform(0, 255, (1, height_px // 16, width_px // 16, 3))
    drift = np.linspace(-40, 40, n_frames).reshape(-1, 1, 1, 1) * random.normal()
    noise = random.normal(0, 20, (n_frames, height_px, width_px, 3))
    picture = blocks.repeat(16, axis=1).repeat(16, axis=2) + drift + noise
    n_samples = round(16_000 * seconds)
    tone = np.sin(2 * np.pi * random.uniform(80, 2000) * np.arange(n_samples) / 16_000)
    sound = random.uniform(0, 0.5) * tone + random.normal(0, 0.05, n_samples)
    return Clip(
        clip_index=seed,
        start_s=5.0 * seed,
        end_s=5.0 * seed + seconds,
        frames=picture.clip(0, 255).astype(np.uint8),
        samples=sound.astype(np.float32),
    )
