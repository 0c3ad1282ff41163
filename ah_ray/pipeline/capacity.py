"""What the connected Ray has to work with, whether more may come, and the actor pools that fit."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import ray
from ray.autoscaler.v2.utils import is_autoscaler_v2
from ray.experimental import internal_kv

from ah_ray.errors import ConfigError
from ah_ray.pipeline.graph import Pools

_PATIENCE_S = 15.0

MOST_ACTORS = 1_000
"""Of a pool on a cluster that grows: Ray Data stops at what the cluster gives."""


def cpus() -> int:
    """Of all nodes that are up."""
    return int(ray.cluster_resources().get("CPU", 2))


def gpus() -> int:
    """Of all nodes that are up."""
    return int(ray.cluster_resources().get("GPU", 0))


def grows(patience_s: float = 0.0) -> bool:
    """True if an autoscaler may bring nodes that are not there yet.

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
    """Each node's id and type, as the cluster's monitor tells them; empty if it has not yet."""
    status = internal_kv._internal_kv_get(b"__autoscaling_status")
    with suppress(ValueError, KeyError, TypeError):
        return dict(json.loads(status or b"{}")["autoscaler_report"]["node_type_mapping"])
    return {}


def check_gpus(each: int, *, n_models: int) -> None:
    """Raises ConfigError if one replica of each model will never find its GPUs here."""
    if each and gpus() < each * n_models and not grows(_PATIENCE_S):
        enough_gpus(each, n_models=n_models, there=gpus(), where="this cluster")


def enough_gpus(each: int, *, n_models: int, there: int, where: str) -> None:
    """Raises ConfigError if `there` are fewer GPUs than one replica of each model asks for."""
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
    *, gpus_per_replica: int, decoders: int | None, replicas: int | None, n_models: int = 1
) -> Pools:
    """Actor pools that fit the cluster; given numbers win.

    On GPUs: as many replicas as fit, of each model. On CPUs alone (the tiny checkpoint): one
    replica to eight cores, since there the decoders are the slower side; models share its core.
    Where the cluster grows, GPU replicas and decoders may be as many as it then holds. A GPU
    replica asks for no CPU: decoders that were first on its node would keep it out.
    """
    replica_cpus = 0.0 if gpus_per_replica else 1 / n_models
    if gpus_per_replica and grows():
        replicas, decoders = replicas or MOST_ACTORS, decoders or MOST_ACTORS
    if replicas is None:
        fit = gpus() // gpus_per_replica // n_models if gpus_per_replica else cpus() // 8
        replicas = max(1, fit)
    if decoders is None:
        decoders = max(1, cpus() - round(replicas * n_models * (replica_cpus or 1)))
    return Pools(
        min_decoders=1,
        max_decoders=decoders,
        min_replicas=1,
        max_replicas=replicas,
        replica_cpus=replica_cpus,
        replica_gpus=gpus_per_replica,
        clips_per_batch=64 if gpus_per_replica else 8,
    )
