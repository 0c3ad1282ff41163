"""The state of a training, as torch's distributed checkpoint, kept by Ray Train.

Each worker writes its shards; Ray Train puts them into one folder in storage. Any other number of
workers can read it back.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ray.train
import torch
from torch import distributed
from torch.distributed import checkpoint
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)

from ah_ray.training.learner import Learner

_PROGRESS = "progress.json"
_LEARNT = StateDictOptions(ignore_frozen_params=True)


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a training is. `step` steps have been made."""

    step: int = 0
    best_score: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)  # of metrics.parquet


@contextmanager
def written(
    learner: Learner, optimiser: torch.optim.Optimizer, progress: Progress
) -> Iterator[ray.train.Checkpoint]:
    """A checkpoint in a folder of this machine, for `ray.train.report`."""
    with tempfile.TemporaryDirectory(prefix="ah_ray-checkpoint-") as folder:
        checkpoint.save(_state(learner, optimiser), checkpoint_id=folder)
        if distributed.get_rank() == 0:
            (Path(folder) / _PROGRESS).write_text(json.dumps(asdict(progress)))
        yield ray.train.Checkpoint.from_directory(folder)


def read_back(
    kept: ray.train.Checkpoint, learner: Learner, optimiser: torch.optim.Optimizer
) -> Progress:
    """Loads a checkpoint into model and optimiser."""
    with kept.as_directory() as folder:
        state = _state(learner, optimiser)
        checkpoint.load(state, checkpoint_id=folder)
        set_state_dict(
            learner.model,
            optimiser,
            model_state_dict=state["model"],
            optim_state_dict=state["optimiser"],
            options=StateDictOptions(ignore_frozen_params=True, strict=False),
        )
        return Progress(**json.loads((Path(folder) / _PROGRESS).read_text()))


def _state(learner: Learner, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    model, moments = get_state_dict(learner.model, optimiser, options=_LEARNT)
    return {"model": model, "optimiser": moments}
