"""Collective operations of the workers. With one worker nothing is sent."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import distributed

T = TypeVar("T")


def count_workers() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def get_rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def sum_over_workers(*values: float, device: torch.device) -> list[float]:
    """Return each value's sum over the workers."""
    if count_workers() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(tensor)
    return tensor.tolist()


def find_largest(number: int, device: torch.device) -> int:
    """Return the largest of the workers' numbers."""
    if count_workers() == 1:
        return number
    tensor = torch.tensor(number, device=device)
    distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
    return int(tensor)


def gather_lists(mine: list[T]) -> list[T]:
    """Return all workers' lists, joined."""
    if count_workers() == 1:
        return mine
    everyone: list[Any] = [None] * count_workers()
    distributed.all_gather_object(everyone, mine)
    return [value for theirs in everyone for value in theirs]
