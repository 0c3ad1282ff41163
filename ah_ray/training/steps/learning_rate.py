"""Compute the learning rate of each step."""

from __future__ import annotations

import math


def compute_learning_rate(step: int, *, n_steps: int, highest: float, warmup: float) -> float:
    """Return the learning rate of the next step, counted from 0.

    It rises linearly over the share `warmup` of all steps, then falls to 0 along half a cosine.
    """
    n_warmup = round(warmup * n_steps)
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    done = (step - n_warmup) / max(1, n_steps - n_warmup)
    return highest * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
