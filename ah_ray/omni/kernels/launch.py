"""Start Triton kernels. Every kernel of ours is started here."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **options: Any) -> None:
    """Start a kernel on the device of its first tensor, which need not be the current device.

    `options` are the kernel's constants, and Triton's own `num_warps` and `num_stages`. A grid that
    holds a 0 starts nothing.
    """
    if 0 in grid:
        return
    device = next(value.device for value in arguments if isinstance(value, torch.Tensor))
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        kernel[grid](*arguments, **options)
