"""The learning rate by step. Pure."""

from __future__ import annotations

import math


def learning_rate(step: int, *, n_steps: int, highest: float, warmup: float) -> float:
    """Of the step that is about to be made, counted from 0.

    It rises in a line over the share `warmup` of all steps, then falls to 0 as half a cosine.
    """
    n_warmup = round(warmup * n_steps)
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    done = (step - n_warmup) / max(1, n_steps - n_warmup)
    return highest * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
