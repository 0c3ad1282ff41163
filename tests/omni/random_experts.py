"""A layer's experts with random weights, as transformers names them."""

import torch
from torch import nn


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return drawn.to(torch.bfloat16)


class Experts(nn.Module):
    def __init__(self, n: int, width: int, inner: int):
        super().__init__()
        self.gate_up_proj = nn.Parameter(draw(n, 2 * inner, width, seed=1) / width**0.5)
        self.down_proj = nn.Parameter(draw(n, width, inner, seed=2) / inner**0.5)
