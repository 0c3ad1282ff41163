"""A training from its settings to a model on disk: read labels, plan, start Ray Train, export."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import Any

import ray
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError
from rich.console import Console
from transformers import Qwen3OmniMoeThinkerConfig

from ah_ray import cluster, storage
from ah_ray.errors import AhRayError, ConfigError, ObjectMissing, StorageError
from ah_ray.exit_status import ExitStatus
from ah_ray.omni.checkpoint import TINY, find_checkpoint, thinker_config
from ah_ray.profile import load_profile
from ah_ray.results.lease import Lease
from ah_ray.results.runs import new_run_id
from ah_ray.study.labels import read_windows
from ah_ray.training import plan
from ah_ray.training.assigned import Machines, assign, labelled_windows, machines_for
from ah_ray.training.card import PURPOSE
from ah_ray.training.exported import ADAPTER, MODEL
from ah_ray.training.journal import Journal, write_metrics
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.shown import Shown, plan_table
from ah_ray.training.worker import Assignment, work

STATE, SETTINGS_FILE = "state", "settings.json"


def train(
    settings: TrainSettings, console: Console | None = None, *, purpose: str = PURPOSE
) -> ExitStatus:
    """Trains, or goes on with a training in OUT that was broken off.

    `purpose` is what the model card says the model is for.

    Raises ConfigError before any worker starts if something is wrong, OutputBusy if another
    training writes to OUT.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    out = storage.normalise(settings.out)
    settings = settings.model_copy(update={"out": out})
    base = find_checkpoint(settings.model)
    profile = load_profile(settings.profile or ("tiny" if settings.model == TINY else "seed"))
    labels = read_windows(settings.labels)
    train_rows, val_rows = (labelled_windows(labels, split, settings) for split in ("train", "val"))
    if not train_rows:
        raise ConfigError(f"--labels {settings.labels}: no window of the split `train`")
    with cluster.connected():
        machines = machines_for(settings)
        assignment = assign(settings, base, profile, labels, train_rows, val_rows, machines)
        assignment.about["purpose"] = purpose
        _plan(assignment, machines, console)
        if settings.plan:
            return ExitStatus.COMPLETE
        storage.check_writable(out)
        if _is_done(out, settings):
            console.print(f"{out} holds the model of these settings already: nothing to do")
            return ExitStatus.COMPLETE
        with Lease.acquire(out, new_run_id(), say=console.print):
            _claim(out, assignment)
            return _fit(assignment, machines, console)


def _fit(assignment: Assignment, machines: Machines, console: Console) -> ExitStatus:
    settings, out = assignment.settings, assignment.settings.out
    journal = Journal.remote()
    trainer = _Trainer(
        work,
        train_loop_config={"assignment": replace(assignment, journal=journal)},
        scaling_config=ScalingConfig(
            num_workers=machines.workers,
            use_gpu=machines.gpu,
            resources_per_worker={
                "CPU": settings.worker_cpus,
                **({"GPU": 1} if machines.gpu else {}),
            },
        ),
        run_config=RunConfig(
            name=STATE,
            storage_path=out,
            checkpoint_config=CheckpointConfig(
                num_to_keep=1,  # the best; the last is kept besides
                checkpoint_score_attribute="score",
                checkpoint_score_order="max",
            ),
            failure_config=FailureConfig(max_failures=settings.max_failures),
        ),
    )
    with closing(Shown(journal, assignment, console)) as shown:
        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise _cause(error) from None
    write_metrics(out, shown.rows)
    name = ADAPTER if settings.method is not Method.FULL else MODEL
    shown.finished(name)
    return ExitStatus.COMPLETE


class _Trainer(TorchTrainer):
    """Leaves Ctrl-C to us: Ray's own handler would end the process with status 1, and say nothing.

    Its actors end with the driver.
    """

    def _register_sigint_handler(self, controller: object) -> None:
        pass


def _cause(error: TrainingFailedError) -> AhRayError:
    """What a worker said, as one of ours."""
    failures = getattr(error, "worker_failures", {}) or {}
    for failure in failures.values():
        while failure is not None:
            if isinstance(failure, AhRayError):
                return failure
            failure = getattr(failure, "cause", None) or failure.__cause__
    first = next(iter(failures.values()), error)
    line = next((ln for ln in reversed(str(first).splitlines()) if ln.strip()), repr(first))
    return StorageError(f"the training stopped: {line.strip()[:300]}")


def _plan(assignment: Assignment, machines: Machines, console: Console) -> None:
    """Says what it will take; raises ConfigError if it cannot fit."""
    settings = assignment.settings
    config = Qwen3OmniMoeThinkerConfig.from_dict(thinker_config(find_checkpoint(settings.model)))
    checkpointing = machines.gpu if settings.checkpointing is None else settings.checkpointing
    found = plan.sizes(config, settings)
    needed = plan.memory(
        config,
        found,
        settings,
        arithmetic=assignment.arithmetic,
        workers=machines.workers,
        token_budget=assignment.token_budget,
        checkpointing=checkpointing,
    )
    hours = None
    if machines.gpu:
        gpu_bytes = ray.get(ray.remote(num_gpus=1)(_gpu_bytes).remote())
        plan.check_fits(needed, settings, gpu_bytes=gpu_bytes, workers=machines.workers)
        seconds = sum(row.end_s - row.start_s for row in assignment.train) * settings.epochs
        hours = plan.hours(
            config,
            assignment.profile,
            settings,
            seconds=seconds,
            n_windows=len(assignment.train) * settings.epochs,
            workers=machines.workers,
            checkpointing=checkpointing,
        )
    console.print(plan_table(assignment, machines, found, needed, hours))


def _gpu_bytes() -> int:
    import torch

    return torch.cuda.mem_get_info()[1]


def _claim(out: str, assignment: Assignment) -> None:
    """Notes whose training this is. Raises ConfigError if OUT holds one of other settings."""
    ours = json.dumps(_identity(assignment), indent=2, sort_keys=True).encode() + b"\n"
    theirs = _read(storage.join(out, SETTINGS_FILE))
    if theirs is None:
        storage.write_whole(storage.join(out, SETTINGS_FILE), ours)
    elif theirs != ours:
        before, now = json.loads(theirs), json.loads(ours)
        names = [
            f"{part}.{n}"
            for part in now
            for n in now[part]
            if before.get(part, {}).get(n) != now[part][n]
        ]
        raise ConfigError(
            f"--out {out} holds a training of other settings ({', '.join(names[:4])}); name "
            "another folder, or give the settings that it began with"
        )


def _identity(assignment: Assignment) -> dict[str, Any]:
    return {part: assignment.about[part] for part in ("base", "labels", "settings")}


def _is_done(out: str, settings: TrainSettings) -> bool:
    name = MODEL if settings.method is Method.FULL else ADAPTER
    return _read(storage.join(out, name, "training.json")) is not None


def _read(uri: str) -> bytes | None:
    try:
        return storage.read_bytes(uri)
    except ObjectMissing:
        return None
