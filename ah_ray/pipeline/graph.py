"""The Ray Data graph, whole: videos ──Decoder──▶ clips ──Replica──▶ scores.

Of several models each has a pool of replicas, and a clip passes from one to the next.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset

from ah_ray.interfaces.scorer import CALLS_AT_ONCE
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.actors.decoder import Decoder, DecodeSettings
from ah_ray.pipeline.actors.model_families import ReplicaSettings
from ah_ray.pipeline.actors.replica import Replica
from ah_ray.records import Video

MAX_BLOCKS = 10_000
BLOCK_BYTES = 8 * 1024**2
"""A block is done once it holds this much, and a clip at least. Decoders may hold two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """How many actors work, and what each of them asks of Ray."""

    min_decoders: int
    max_decoders: int
    min_replicas: int  # of each model
    max_replicas: int
    initial_replicas: int = 1  # of each model, which load at the same time
    replica_cpus: float
    replica_gpus: float
    clips_per_batch: int
    retries: int = 2  # of the work of a process that died


def clips(videos: Sequence[Video], *, decode: DecodeSettings, pools: Pools) -> Dataset:
    """Return the graph from VIDEOS rows to FRAMES rows, in no particular order.

    A video is one block of its own (up to `MAX_BLOCKS` blocks), so a long one delays no other and
    a lost process costs little. A process that dies comes back, and its work is tried twice more;
    then the block is given up, and the healing loop finds the rows missing.
    """
    n_blocks = min(len(videos), MAX_BLOCKS)
    # from_arrow would start a task for each block, to learn how many rows it has.
    source = ray.data.from_blocks(_split(blocks.videos_table(videos), n_blocks))
    dataset: Dataset = source.map_batches(
        Decoder,
        fn_constructor_args=(decode,),
        batch_format="pyarrow",
        batch_size=None,
        num_cpus=1,
        compute=ActorPoolStrategy(
            min_size=pools.min_decoders,
            max_size=pools.max_decoders,
            max_tasks_in_flight_per_actor=2,
        ),
        max_restarts=-1,
        max_task_retries=pools.retries,
    )
    return dataset


def scores(
    videos: Sequence[Video],
    *,
    decode: DecodeSettings,
    replicas: Sequence[ReplicaSettings],
    pools: Pools,
    replica_class: type | None = None,
) -> Dataset:
    """Return the whole graph, from VIDEOS rows to SCORES rows. It is lazy."""
    graph = clips(videos, decode=decode, pools=pools)
    for replica in replicas:
        graph = graph.map_batches(
            replica_class or Replica,
            fn_constructor_args=(replica,),
            batch_format="pyarrow",
            batch_size=pools.clips_per_batch,
            zero_copy_batch=True,
            num_cpus=pools.replica_cpus,
            num_gpus=pools.replica_gpus,
            compute=ActorPoolStrategy(
                min_size=pools.min_replicas,
                max_size=pools.max_replicas,
                initial_size=min(pools.initial_replicas, pools.max_replicas),
                max_tasks_in_flight_per_actor=4,
            ),
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=-1,
            max_task_retries=pools.retries,
        )
    return graph


# max_restarts and the like, which from Ray 2.64 on must be given in another way.
warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")


def configure(clip_bytes: int) -> None:
    """Set what the graph needs of Ray Data. `clip_bytes`: the size of one clip."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    context.execution_options.preserve_order = False
    context.target_max_block_size = max(1, min(4 * clip_bytes, BLOCK_BYTES))
    context.execution_no_progress_timeout_s = 24 * 3600  # GPU nodes may be hours in coming


def _split(table: pa.Table, n_blocks: int) -> list[pa.Table]:
    bounds = [round(i * table.num_rows / n_blocks) for i in range(n_blocks + 1)]
    return [table.slice(a, b - a) for a, b in pairwise(bounds)]
