"""Make the assignment of each worker from settings and labels: windows, order, steps, machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray

from ah_ray.config import Arithmetic, Limits
from ah_ray.errors import ConfigError
from ah_ray.installation import ah_ray_version
from ah_ray.omni.weights.adapter_base import describe_base
from ah_ray.omni.weights.checkpoint import name_model
from ah_ray.output.lease_guard import LeaseGuard
from ah_ray.profile import Profile
from ah_ray.study.labelled_manifest import read_about
from ah_ray.training import plan
from ah_ray.training.data.dataloader import DecodeStage, LabelledWindow
from ah_ray.training.data.named_labels import Row, add_answers, count_answers
from ah_ray.training.data.sampler import Order, OrderWindow, choose_lanes, compute_label_weights
from ah_ray.training.data.windows_decoder import VisitSettings
from ah_ray.training.settings import Balance, TrainSettings

_NOT_RECORDED = {
    "labels", "model", "out", "model_cache", "workers", "worker_cpus", "decoders", "max_failures",
    "tensorboard", "plan", "cost_per_hour", "max_lost",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that a worker needs to know."""

    settings: TrainSettings
    profile: Profile
    arithmetic: Arithmetic
    base_name: str
    train: tuple[LabelledWindow, ...]
    val: tuple[LabelledWindow, ...]
    order: Order
    n_steps: int
    n_asked: int  # different windows that all steps ask for
    evaluate_at: frozenset[int]  # steps after which it is judged, and saved
    stage: DecodeStage
    token_budget: int
    about: dict[str, Any]  # the beginning of training.json
    journal: Any  # an actor: Journal
    guard: LeaseGuard | None = None  # of the training's lease on OUT


@dataclass(frozen=True, slots=True)
class Machines:
    """What the cluster gives to a training."""

    workers: int
    gpu: bool
    decoders: int  # of each worker
    decoder_cpus: float


def select_windows(
    labels: pa.Table,
    split: str,
    settings: TrainSettings,
    answers: Sequence[Row],
    profile: Profile,
) -> tuple[LabelledWindow, ...]:
    """Return the windows of a split that have a label; with `--balance weights`, with its weights.

    `answers` are labels of the questions of `profile`, from `select_answers`. Raise ConfigError if
    they contradict one another.
    """
    named = [
        (
            row["video_id"],
            LabelledWindow(
                uri=row["uri"],
                start_s=row["start_s"],
                end_s=row["end_s"],
                label=None if row["label"] is None else bool(row["label"]),
                question=row["question"],
                weight=row["weight"],
            ),
        )
        for row in labels.to_pylist()
        if row["split"] == split
    ]
    rows = add_answers(named, answers, profile)
    rows = [row for row in rows if row.label is not None or row.answers]
    if settings.balance is Balance.WEIGHTS and split == "train":
        no, yes = compute_label_weights(make_order_windows(rows))
        rows = [_multiply_weight(row, yes if row.label else no, profile) for row in rows]
    return tuple(rows)


def _multiply_weight(row: LabelledWindow, factor: float, profile: Profile) -> LabelledWindow:
    """Return a window whose label of the first question counts by a factor more."""
    first = profile.complete_questions[0].name
    answers = tuple(
        replace(one, weight=one.weight * factor) if one.question == first else one
        for one in row.answers
    )
    return replace(row, weight=row.weight * factor, answers=answers)


def make_order_windows(rows: Sequence[LabelledWindow]) -> list[OrderWindow]:
    """Return what the order of a training needs to know of each window."""
    videos: dict[str, int] = {}
    return [
        OrderWindow(
            video=videos.setdefault(row.uri, len(videos)),
            label=row.label,
            simple=row.question is not None,
        )
        for row in rows
    ]


def plan_machines(settings: TrainSettings) -> Machines:
    """Return workers on GPUs, if there are any, and decoders on the cores that are left.

    Raise ConfigError if the cluster has too few GPUs or cores.
    """
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), resources.get("CPU", 1.0)
    workers = settings.workers or max(1, gpus)
    if gpus and workers > gpus:
        raise ConfigError(f"--workers {workers}: the cluster has {gpus} GPUs")
    left = cpus - workers * settings.worker_cpus
    if left <= 0:
        raise ConfigError(
            f"--workers {workers} of {settings.worker_cpus:g} cores leave none of the cluster's "
            f"{cpus:g} for decoders; give fewer workers, or a smaller --worker-cpus"
        )
    decoders = settings.decoders or max(1, int(left / workers))
    return Machines(workers, gpus > 0, decoders, min(1.0, left / workers / decoders))


def make_order(settings: TrainSettings, rows: Sequence[LabelledWindow], workers: int) -> Order:
    """Return which windows each step sees. Raise ConfigError if workers cannot share a batch."""
    return Order(
        windows=make_order_windows(rows),
        batch=settings.batch,
        epochs=settings.epochs,
        seed=settings.seed,
        lanes=choose_lanes(settings.batch, workers),
        buffer=settings.shuffle_windows,
        balance=settings.balance,
        simple_epochs=settings.simple_epochs,
    )


def make_assignment(
    settings: TrainSettings,
    base: Path | str,
    profile: Profile,
    labels: pa.Table,
    train_rows: tuple[LabelledWindow, ...],
    val_rows: tuple[LabelledWindow, ...],
    machines: Machines,
) -> Assignment:
    """Return the assignment that is the same for all workers."""
    order = make_order(settings, train_rows, machines.workers)
    ends = [sum(order.count_steps(e) for e in range(epoch + 1)) for epoch in range(order.epochs)]
    n_steps = min(ends[-1], settings.max_steps or ends[-1])
    every = settings.evaluate_every
    wanted = range(every, n_steps, every) if every else [end for end in ends if end < n_steps]
    arithmetic = settings.arithmetic or (Arithmetic.BF16 if machines.gpu else Arithmetic.FLOAT32)
    budget = plan.GPU_TOKEN_BUDGET if machines.gpu else plan.CPU_TOKEN_BUDGET
    people = set(labels.filter(pc.equal(labels["split"], "train"))["participant_id"].to_pylist())
    return Assignment(
        settings=settings,
        profile=profile,
        arithmetic=arithmetic,
        base_name=name_model(settings.model),
        train=train_rows,
        val=val_rows,
        order=order,
        n_steps=n_steps,
        n_asked=len(set().union(*islice(order.steps(), n_steps))),
        evaluate_at=frozenset([*wanted, n_steps]),
        stage=DecodeStage(
            settings=VisitSettings(profile=profile, limits=Limits()),
            decoders=machines.decoders,
            cpus=machines.decoder_cpus,
        ),
        token_budget=settings.token_budget or budget,
        about={
            "base": describe_base(name_model(settings.model), base),
            "labels": {
                "fingerprint": read_about(settings.labels)["data_fingerprint"],
                "train_windows": len(train_rows),
                "train_participants": len(people),
                "val_windows": len(val_rows),
                **_describe_questions(train_rows, profile),
            },
            "profile": profile.model_dump(mode="json"),
            "settings": {
                **settings.model_dump(mode="json", exclude=_NOT_RECORDED | settings.idle),
                "learning_rate": settings.rate,
                "arithmetic": arithmetic.value,
                "profile": profile.name,
                "longest_window_s": max(row.end_s - row.start_s for row in train_rows),
            },
            "versions": {
                "ah_ray": ah_ray_version(),
                **{name: version(name) for name in ("torch", "transformers", "peft", "ray")},
            },
        },
        journal=None,
    )


def _describe_questions(train: Sequence[LabelledWindow], profile: Profile) -> dict[str, Any]:
    """Return how many windows each question is learned from; nothing if none is labelled by name.

    So a training from labels of the first question is described as it was before there were others.
    """
    if not any(row.answers for row in train):
        return {}
    counts = count_answers(train, profile)
    return {"questions": {name: sum(of.values()) for name, of in counts.items()}}
