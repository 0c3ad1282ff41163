"""Save and load the state of a training, as torch's distributed checkpoint, through Ray Train.

Each worker writes its shards, and Ray Train collects them in one folder in storage. Any number of
workers can read them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ray.train
import torch
from torch import distributed
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from ah_ray.temporary import temporary_folder
from ah_ray.training.steps.learner import Learner

_PROGRESS = "progress.json"
_TRAINED_ONLY = StateDictOptions(ignore_frozen_params=True)


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """How far a training is. `step` is the number of steps made."""

    step: int = 0
    best_score: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)  # of metrics.parquet
    lost: dict[str, dict[str, str]] = field(default_factory=dict)  # windows, as `Losses.to_json`


@contextmanager
def save_checkpoint(
    learner: Learner, optimiser: torch.optim.Optimizer, progress: TrainingState
) -> Iterator[ray.train.Checkpoint]:
    """Write a checkpoint to a folder of this machine, for `ray.train.report`."""
    with temporary_folder("checkpoint-") as folder:
        save(_get_state(learner, optimiser), checkpoint_id=folder)
        if distributed.get_rank() == 0:
            (Path(folder) / _PROGRESS).write_text(json.dumps(asdict(progress)))
        yield ray.train.Checkpoint.from_directory(folder)


def load_checkpoint(
    kept: ray.train.Checkpoint, learner: Learner, optimiser: torch.optim.Optimizer
) -> TrainingState:
    """Load a checkpoint into model and optimiser, and return the state of the training."""
    with kept.as_directory() as folder:
        state = _get_state(learner, optimiser)
        load(state, checkpoint_id=folder)
        set_state_dict(
            learner.model,
            optimiser,
            model_state_dict=state["model"],
            optim_state_dict=state["optimiser"],
            options=StateDictOptions(ignore_frozen_params=True, strict=False),
        )
        return TrainingState(**json.loads((Path(folder) / _PROGRESS).read_text()))


def _get_state(learner: Learner, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    model, moments = get_state_dict(learner.model, optimiser, options=_TRAINED_ONLY)
    return {"model": model, "optimiser": moments}
