"""Convolutions of the audio tower that give the same result on every processor.

torch's bf16 convolution on CPUs reads past the end of short inputs on some processors: a sound of
under about 0.1 s then has random values, or NaN. On a CPU the sum is therefore computed in float32;
the weights keep their own type.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

_NARROW = (torch.bfloat16, torch.float16)


class Convolution(nn.Conv2d):
    """A Conv2d that computes in float32 if its type is narrow and it is on a CPU."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [n, in, H, W] to [n, out, H', W'], in the type of the input."""
        if values.device.type != "cpu" or values.dtype not in _NARROW:
            return super().forward(values)
        bias = None if self.bias is None else self.bias.float()
        wide = F.conv2d(
            values.float(),
            self.weight.float(),
            bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return wide.to(values.dtype)


def widen_convolutions(tower: nn.Module) -> None:
    """Turn the Conv2d modules of a tower into `Convolution` in place; parameters and hooks stay."""
    for module in tower.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Convolution
