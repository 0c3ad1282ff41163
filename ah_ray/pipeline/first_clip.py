"""Before GPUs are asked for: is there anything to be scored at all?

A cluster that has scaled its GPUs down to none is not woken for recordings that cannot be decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
from ray.data import Dataset

from ah_ray.pipeline import graph
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.stages import Stages
from ah_ray.records import Video, failed_score


def any_clip(videos: Sequence[Video], stages: Stages, check: Callable[[], None]) -> bool:
    """Return whether a model could score any clip. Decode until one is found."""
    dataset = graph.clips(videos, decode=stages.decode, pools=stages.pools)
    with closing(_tables(dataset)) as tables:
        for table in tables:
            check()
            if table["shape"].null_count < len(table):
                return True
    return False


def _tables(dataset: Dataset) -> Generator[pa.Table, None, None]:
    yield from dataset.iter_batches(batch_size=None, batch_format="pyarrow")


class WithoutModel:
    """FRAMES in, SCORES out, of clips that all came without frames."""

    def __init__(self, _settings: object):
        pass

    def __call__(self, frames: pa.Table) -> pa.Table:
        return blocks.scores_table(frames, [failed_score(clip) for clip in blocks.clips_of(frames)])


def without_model(stages: Stages) -> Stages:
    """Return stages for videos without any clip to score, which need no model and no GPU."""
    return replace(
        stages,
        replicas=stages.replicas[-1:],
        pools=replace(stages.pools, max_replicas=1, replica_cpus=0.1, replica_gpus=0),
        replica_class=WithoutModel,
    )
