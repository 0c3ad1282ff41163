"""What workers settle together. With one worker, or none to talk to, nothing is sent."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import distributed

T = TypeVar("T")


def n_workers() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def summed(*values: float, device: torch.device) -> list[float]:
    """Each value's sum over the workers."""
    if n_workers() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(tensor)
    return tensor.tolist()


def most(number: int, device: torch.device) -> int:
    """The largest of the workers' numbers."""
    if n_workers() == 1:
        return number
    tensor = torch.tensor(number, device=device)
    distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
    return int(tensor)


def gathered(mine: list[T]) -> list[T]:
    """All workers' lists, one after the other."""
    if n_workers() == 1:
        return mine
    everyone: list = [None] * n_workers()
    distributed.all_gather_object(everyone, mine)
    return [value for theirs in everyone for value in theirs]
