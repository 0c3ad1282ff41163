"""Which GPUs can compute in which arithmetic."""

from __future__ import annotations

import torch

from ah_ray.config import FP8_KINDS, Arithmetic
from ah_ray.errors import ConfigError

_NEEDED = {
    Arithmetic.BF16: ((8, 0), Arithmetic.FLOAT32),  # attention has no kernel on older GPUs
    **dict.fromkeys(FP8_KINDS, ((9, 0), Arithmetic.BF16)),
}
"""The least compute capability of a GPU, and what to use on older ones."""


def can_compute(arithmetic: Arithmetic, device: torch.device) -> bool:
    """Return whether a device computes in this arithmetic. A CPU does; it emulates fp8."""
    if device.type != "cuda" or arithmetic not in _NEEDED:
        return True
    return torch.cuda.get_device_capability(device) >= _NEEDED[arithmetic][0]


def check_device(arithmetic: Arithmetic, device: torch.device) -> None:
    """Raise ConfigError, which says what to use, if the device cannot compute in it."""
    if can_compute(arithmetic, device):
        return
    needed, instead = _NEEDED[arithmetic]
    found = torch.cuda.get_device_capability(device)
    raise ConfigError(
        f"--arithmetic {arithmetic} needs a GPU of compute capability {needed[0]}.{needed[1]} or "
        f"newer, and this one ({torch.cuda.get_device_name(device)}) has {found[0]}.{found[1]}; "
        f"use {instead}"
    )
