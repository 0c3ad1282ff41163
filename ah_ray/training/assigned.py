"""What each worker is told: windows, order, steps, machines; from settings and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import ray

from ah_ray.config import Arithmetic, Limits
from ah_ray.errors import ConfigError
from ah_ray.omni.checkpoint import fingerprint, model_name
from ah_ray.profile import Profile
from ah_ray.study.labels import read_about
from ah_ray.training import plan
from ah_ray.training.feed import DecodeStage, LabelledWindow
from ah_ray.training.order import Balance, Order, Window, label_weights, lanes_for
from ah_ray.training.settings import TrainSettings
from ah_ray.training.windows_decoder import VisitSettings
from ah_ray.training.worker import Assignment

_BYSTANDERS = {
    "labels", "model", "out", "model_cache", "workers", "worker_cpus", "decoders", "max_failures",
    "tensorboard", "plan", "cost_per_hour",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machines:
    """What the cluster gives to a training."""

    workers: int
    gpu: bool
    decoders: int  # of each worker
    decoder_cpus: float


def labelled_windows(
    labels: pa.Table, split: str, settings: TrainSettings
) -> tuple[LabelledWindow, ...]:
    rows = [
        LabelledWindow(
            uri=row["uri"],
            start_s=row["start_s"],
            end_s=row["end_s"],
            label=bool(row["label"]),
            question=row["question"],
            weight=row["weight"],
        )
        for row in labels.to_pylist()
        if row["split"] == split
    ]
    if settings.balance is Balance.WEIGHTS and split == "train":
        no, yes = label_weights(in_order(rows))
        rows = [replace(row, weight=row.weight * (yes if row.label else no)) for row in rows]
    return tuple(rows)


def in_order(rows: Sequence[LabelledWindow]) -> list[Window]:
    videos: dict[str, int] = {}
    return [
        Window(
            video=videos.setdefault(row.uri, len(videos)),
            label=row.label,
            simple=row.question is not None,
        )
        for row in rows
    ]


def machines_for(settings: TrainSettings) -> Machines:
    """Workers on GPUs where there are any; decoders on the cores that they leave."""
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


def assign(
    settings: TrainSettings,
    base: Path | str,
    profile: Profile,
    labels: pa.Table,
    train_rows: tuple[LabelledWindow, ...],
    val_rows: tuple[LabelledWindow, ...],
    machines: Machines,
) -> Assignment:
    order = Order(
        windows=in_order(train_rows),
        batch=settings.batch,
        epochs=settings.epochs,
        seed=settings.seed,
        lanes=lanes_for(settings.batch, machines.workers),
        buffer=settings.shuffle_windows,
        balance=settings.balance,
        simple_epochs=settings.simple_epochs,
    )
    ends = [sum(order.steps_of(e) for e in range(epoch + 1)) for epoch in range(order.epochs)]
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
        base_name=model_name(settings.model),
        train=train_rows,
        val=val_rows,
        order=order,
        n_steps=n_steps,
        evaluate_at=frozenset([*wanted, n_steps]),
        stage=DecodeStage(
            settings=VisitSettings(profile=profile, limits=Limits()),
            decoders=machines.decoders,
            cpus=machines.decoder_cpus,
        ),
        token_budget=settings.token_budget or budget,
        about={
            "base": {"name": model_name(settings.model), "fingerprint": fingerprint(base)},
            "labels": {
                "fingerprint": read_about(settings.labels)["data_fingerprint"],
                "train_windows": len(train_rows),
                "train_participants": len(people),
                "val_windows": len(val_rows),
            },
            "settings": {
                **settings.model_dump(mode="json", exclude=_BYSTANDERS | settings.idle),
                "learning_rate": settings.rate,
                "arithmetic": arithmetic.value,
                "profile": profile.name,
                "longest_window_s": max(row.end_s - row.start_s for row in train_rows),
            },
            "versions": {
                name: version(name) for name in ("ah_ray", "torch", "transformers", "peft", "ray")
            },
        },
        journal=None,
    )
