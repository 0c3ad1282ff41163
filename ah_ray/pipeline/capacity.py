"""What the connected Ray has to work with, whether more may come, and the actor pools that fit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress

import ray
from ray.autoscaler.v2.utils import is_autoscaler_v2
from ray.experimental import internal_kv

from ah_ray.errors import ConfigError
from ah_ray.interfaces.scorer import CLIPS_PER_GPU_CALL
from ah_ray.pipeline.graph import Pools

_PATIENCE_S = 15.0

MOST_ACTORS = 1_000
"""Of a pool on a cluster that grows: Ray Data stops at what the cluster gives."""


def cpus() -> int:
    """Return the CPU cores of all nodes that are up."""
    return int(_resources(ray.cluster_resources).get("CPU", 2))


def gpus() -> int:
    """Return the GPUs of all nodes that are up."""
    return int(_resources(ray.cluster_resources).get("GPU", 0))


def free_gpus() -> float:
    """Return the GPUs that no actor holds."""
    return _resources(ray.available_resources).get("GPU", 0.0)


def _resources(query: Callable[[], dict[str, float]]) -> dict[str, float]:
    return query()


def grows(patience_s: float = 0.0) -> bool:
    """Return whether an autoscaler may start nodes that are not there yet.

    A cluster without one has a monitor too, which calls each node's type `node_<its id>`. A head
    that has just been started knows after some seconds.
    """
    if is_autoscaler_v2(fetch_from_server=True):  # as `ray up` and KubeRay start it
        return True
    until = time.monotonic() + patience_s
    while not (types := _node_types()) and time.monotonic() < until:
        time.sleep(0.2)
    return any(kind != f"node_{node}" for node, kind in types.items())


def _node_types() -> dict[str, str]:
    """Return each node's type by its id, from the cluster's monitor; empty before it reports."""
    status = internal_kv._internal_kv_get(b"__autoscaling_status")
    with suppress(ValueError, KeyError, TypeError):
        return dict(json.loads(status or b"{}")["autoscaler_report"]["node_type_mapping"])
    return {}


def check_gpus(each: int, *, n_models: int) -> None:
    """Raise ConfigError if one replica of each model can never get its GPUs here."""
    if each and gpus() < each * n_models and not grows(_PATIENCE_S):
        enough_gpus(each, n_models=n_models, there=gpus(), where="this cluster")


def enough_gpus(each: int, *, n_models: int, there: int, where: str) -> None:
    """Raise ConfigError if `there` are fewer GPUs than one replica of each model needs."""
    if there < each:
        raise ConfigError(
            f"GPUs that one replica asks for: {each}; that {where} has: {there}. "
            "Join a cluster that has them (RAY_ADDRESS), or change --device or --gpus-per-replica"
        )
    if there < each * n_models:
        raise ConfigError(
            f"{n_models} models at once ask for {each * n_models} GPUs, and {where} has {there}: "
            "score with one --model after another, each into an --out of its own, and combine "
            "them with `python jobs/reduce.py OUT OUT … --out …`"
        )


def pools(
    *,
    gpus_per_replica: int,
    decoders: int | None,
    replicas: int | None,
    n_models: int = 1,
    n_videos: int = 1,
) -> Pools:
    """Return actor pools that fit the cluster. Numbers that are given win.

    On GPUs: as many replicas of each model as fit. On CPUs alone (the tiny checkpoint): one
    replica for eight cores, since decoders are the slower side there; models share its core.
    Where the cluster grows, GPU replicas and decoders may be as many as it then holds. A GPU
    replica asks for no CPU, because decoders that came first to its node would keep it out.

    Replicas for the GPUs that are there load at the same time, but not more than there are videos.
    """
    fitting = gpus() // gpus_per_replica // n_models if gpus_per_replica else 1
    replica_cpus = 0.0 if gpus_per_replica else 1 / n_models
    if gpus_per_replica and grows():
        replicas, decoders = replicas or MOST_ACTORS, decoders or MOST_ACTORS
    if replicas is None:
        replicas = max(1, fitting if gpus_per_replica else cpus() // 8)
    if decoders is None:
        decoders = max(1, cpus() - round(replicas * n_models * (replica_cpus or 1)))
    return Pools(
        min_decoders=1,
        max_decoders=decoders,
        min_replicas=1,
        max_replicas=replicas,
        initial_replicas=max(1, min(replicas, fitting, n_videos)),
        replica_cpus=replica_cpus,
        replica_gpus=gpus_per_replica,
        clips_per_batch=CLIPS_PER_GPU_CALL if gpus_per_replica else 8,
    )
