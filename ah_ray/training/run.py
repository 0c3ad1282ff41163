"""Run a training: read labels, plan, start Ray Train, export the model."""

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
from ah_ray.cli.screen import say
from ah_ray.errors import ConfigError, ObjectMissing, TrainingStopped
from ah_ray.exit_status import ExitStatus
from ah_ray.omni.inputs.tokenizer_check import check_tokenizers
from ah_ray.omni.weights.checkpoint import find_checkpoint, load_thinker_config
from ah_ray.omni.weights.training_record import LEARNED_FROM, choose_profile, models_learned_from
from ah_ray.output.guarded_write import write_guarded
from ah_ray.output.lease import Lease
from ah_ray.output.lease_guard import make_guard
from ah_ray.output.runs import new_run_id
from ah_ray.study.labelled_manifest import read_labelled_answers, read_windows
from ah_ray.study.leak_records import record_training
from ah_ray.training import plan
from ah_ray.training.data.assignment import (
    Assignment,
    Machines,
    make_assignment,
    make_order,
    plan_machines,
    select_windows,
)
from ah_ray.training.data.label_check import (
    check_answers,
    check_epochs,
    check_labels,
    check_questions,
)
from ah_ray.training.data.named_labels import select_answers
from ah_ray.training.export import ADAPTER, MODEL
from ah_ray.training.journal import start_journal, write_metrics
from ah_ray.training.model_card import PURPOSE
from ah_ray.training.progress import ProgressView, make_plan_table
from ah_ray.training.ray_errors import convert_ray_errors, find_cause
from ah_ray.training.settings import Method, TrainSettings
from ah_ray.training.steps.lost_windows import write_lost_windows
from ah_ray.training.worker import run_worker

STATE, SETTINGS_FILE = "state", "settings.json"


def train(
    settings: TrainSettings, console: Console | None = None, *, purpose: str = PURPOSE
) -> ExitStatus:
    """Start a training, or continue one in OUT that was interrupted.

    `purpose` is what the model card says that the model is for. Raise ConfigError before any worker
    starts if something is wrong, and OutputBusy if another training writes to OUT.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    out = storage.normalise(settings.out)
    settings = settings.model_copy(update={"out": out})
    base = find_checkpoint(settings.model)
    chosen = choose_profile(settings.profile, [(settings.model, base, ())], binding=False)
    profile = chosen.profile
    if chosen.reason:
        say(console, f"profile {profile.name}: {chosen.reason}")
    check_tokenizers(base, (), profile)
    labels = read_windows(settings.labels)
    answers = select_answers(read_labelled_answers(settings.labels), profile, settings)
    train_rows, val_rows = (
        select_windows(labels, split, settings, answers, profile) for split in ("train", "val")
    )
    check_answers(settings, profile, (*train_rows, *val_rows))
    check_labels(settings, train_rows, val_rows)
    check_questions(settings, profile, train_rows)
    check_epochs(make_order(settings, train_rows, workers=1))
    with cluster.connected(), convert_ray_errors():
        machines = plan_machines(settings)
        assignment = make_assignment(
            settings, base, profile, labels, train_rows, val_rows, machines
        )
        assignment.about["purpose"] = purpose
        known = (*models_learned_from(base), *record_training(settings.labels))
        assignment.about[LEARNED_FROM] = [one.model_dump(mode="json") for one in known]
        _show_plan(assignment, machines, console)
        if settings.plan:
            return ExitStatus.COMPLETE
        storage.check_writable(out)
        if _count_lost_windows(out, settings) == 0:
            console.print(f"{out} holds the model of these settings already: nothing to do")
            return ExitStatus.COMPLETE
        with Lease.acquire(out, new_run_id(), say=console.print) as lease:
            _claim_output(out, assignment, lease)
            if n_lost := _count_lost_windows(out, settings):
                console.print(
                    f"The model in {out} was trained without {n_lost:,} windows that could not be "
                    "decoded: training again from the start"
                )
                lease.confirm()
                _remove_results(out, settings)
            return _run_workers(assignment, machines, lease, console)


def _run_workers(
    assignment: Assignment, machines: Machines, lease: Lease, console: Console
) -> ExitStatus:
    """Train, and write what was measured and lost. Raise OutputBusy if another training has taken
    OUT, StorageError if the lease is lost otherwise, TrainingStopped if there is no model."""
    settings, out = assignment.settings, assignment.settings.out
    journal = start_journal()
    trainer = _Trainer(
        run_worker,
        train_loop_config={
            "assignment": replace(assignment, journal=journal, guard=make_guard(lease))
        },
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
    try:
        with closing(ProgressView(journal, assignment, lease, console)) as view:
            trainer.fit()
    except TrainingFailedError as error:
        lease.confirm()  # if it is lost, that is why
        raise find_cause(error) from None
    except KeyboardInterrupt:
        lease.check()
        raise
    write_metrics(out, view.rows, lease.confirm)
    windows = {"train": assignment.train, "val": assignment.val}
    write_lost_windows(out, view.lost_windows, windows, lease.confirm)
    lease.confirm()
    if view.stopped is not None:
        _remove_results(out, settings)
        raise TrainingStopped(view.stopped)
    if _count_lost_windows(out, settings) is None:
        raise TrainingStopped("the workers ended without a model")
    view.report_result(_get_result_name(settings))
    return ExitStatus.COMPLETE


class _Trainer(TorchTrainer):
    """Leave Ctrl-C to this project: Ray's own handler would end the process with 1 and no message.

    Its actors end with the driver.
    """

    def _register_sigint_handler(self, controller: object) -> None:
        pass


def _show_plan(assignment: Assignment, machines: Machines, console: Console) -> None:
    """Show what the training needs. Raise ConfigError if it cannot fit."""
    settings = assignment.settings
    config = Qwen3OmniMoeThinkerConfig.from_dict(
        load_thinker_config(find_checkpoint(settings.model))
    )
    checkpointing = machines.gpu if settings.checkpointing is None else settings.checkpointing
    found = plan.count_parameters(config, settings)
    needed = plan.estimate_memory(
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
        gpu_bytes = ray.get(ray.remote(num_gpus=1)(_measure_gpu_bytes).remote())
        plan.check_fits(needed, settings, gpu_bytes=gpu_bytes, workers=machines.workers)
        seconds = sum(row.end_s - row.start_s for row in assignment.train) * settings.epochs
        hours = plan.estimate_hours(
            config,
            assignment.profile,
            settings,
            seconds=seconds,
            n_windows=len(assignment.train) * settings.epochs,
            workers=machines.workers,
            checkpointing=checkpointing,
        )
    console.print(make_plan_table(assignment, machines, found, needed, hours))


def _measure_gpu_bytes() -> int:
    import torch

    return torch.cuda.mem_get_info()[1]


def _claim_output(out: str, assignment: Assignment, lease: Lease) -> None:
    """Note whose training this is. Raise ConfigError if OUT holds one of other settings."""
    ours = json.dumps(_describe_training(assignment), indent=2, sort_keys=True).encode() + b"\n"
    theirs = _read_if_there(storage.join(out, SETTINGS_FILE))
    if theirs is None:
        write_guarded(storage.join(out, SETTINGS_FILE), ours, lease.confirm, is_probably_new=True)
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


def _describe_training(assignment: Assignment) -> dict[str, Any]:
    return {part: assignment.about[part] for part in ("base", "labels", "profile", "settings")}


def _get_result_name(settings: TrainSettings) -> str:
    return MODEL if settings.method is Method.FULL else ADAPTER


def _count_lost_windows(out: str, settings: TrainSettings) -> int | None:
    """Return how many windows the result in OUT was trained without; None if there is no result."""
    text = _read_if_there(storage.join(out, _get_result_name(settings), "training.json"))
    return None if text is None else sum(json.loads(text).get("lost", {}).values())


def _remove_results(out: str, settings: TrainSettings) -> None:
    """Remove what a training that lost windows wrote: checkpoints, and the record of its result.

    The record is removed first, so that nothing left after a kill looks complete.
    """
    storage.remove([storage.join(out, _get_result_name(settings), "training.json")])
    try:
        pages = list(storage.list_pages(storage.as_folder(storage.join(out, STATE))))
    except ObjectMissing:
        return
    storage.remove(entry.uri for page in pages for entry in page)


def _read_if_there(uri: str) -> bytes | None:
    try:
        return storage.read_bytes(uri)
    except ObjectMissing:
        return None
