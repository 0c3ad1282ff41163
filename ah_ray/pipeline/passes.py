"""One pass over pending videos: the graph runs, its scores go to reducers, rows are written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.exceptions import RayActorError, RayError

from ah_ray.output.spool import Spool
from ah_ray.pipeline import graph
from ah_ray.pipeline.actors import blocks
from ah_ray.pipeline.actors.reducer import Reducer
from ah_ray.pipeline.reporting.progress import Progress
from ah_ray.pipeline.stages import Stages
from ah_ray.records import Committed, Lost, Video

MAX_WAITING = 32  # calls under way to one reducer, before the driver stops reading scores
FLUSH_S = 20.0  # for the calls under way, when a pass is stopped


@dataclass(slots=True, kw_only=True)
class PassResult:
    """The outcome of a pass. A video that is in neither dict was lost with its process."""

    committed: dict[str, Committed] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)  # video_id → the error of storage
    trouble: str | None = None  # why the pass ended early, if it did


def run_pass(
    videos: Sequence[Video],
    stages: Stages,
    progress: Progress,
    spool: Spool,
    check: Callable[[], None],
) -> PassResult:
    """Score the videos, and write each row as soon as its video is complete.

    `check` is called now and then, and raises if the run must end. A stopped run
    (KeyboardInterrupt) still waits for the rows that are being written.
    """
    result = PassResult()
    pool = ReducerPool(stages, result, progress, spool)
    dataset = graph.scores(
        videos,
        decode=stages.decode,
        replicas=stages.replicas,
        pools=stages.pools,
        replica_class=stages.replica_class,
    )
    try:
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            check()
            progress.tally.stage = "scoring"
            _count(table, result, progress)
            pool.send(table)
    except RayError as error:
        result.trouble = root_cause(error)
    finally:
        pool.flush()
    return result


def _count(table: pa.Table, result: PassResult, progress: Progress) -> None:
    scores = table["score"].combine_chunks()
    score_s = pc.sum(pc.struct_field(scores, "score_s")).as_py() or 0.0
    facts = table["facts"].combine_chunks()
    decode_s = pc.sum(pc.struct_field(facts, "decode_s")).as_py() or 0.0
    progress.tally.storage_retries += pc.sum(pc.struct_field(facts, "storage_retries")).as_py() or 0
    n_clips = len(scores) - scores.null_count
    n_failed = n_clips - pc.count(pc.struct_field(scores, "p_ah")).as_py()
    progress.tally.add_scores(n_clips, score_s, decode_s, n_failed)
    for row in table.filter(pc.equal(table["event"], blocks.LOST)).to_pylist():
        if row["error"] is not None:
            result.lost[row["video_id"]] = row["error"]


class ReducerPool:
    """Reducer actors. A hash of the video_id chooses the actor."""

    def __init__(self, stages: Stages, result: PassResult, progress: Progress, spool: Spool):
        actor = ray.remote(Reducer).options(num_cpus=0, max_concurrency=8, max_restarts=-1)
        self._reducers: list[Any] = [
            actor.remote(stages.commit, stages.log) for _ in range(stages.n_reducers)
        ]
        self._waiting: list[ray.ObjectRef[Any]] = []
        self._result = result
        self._progress = progress
        self._spool = spool

    def send(self, table: pa.Table) -> None:
        for reducer, part in zip(self._reducers, self._parts(table), strict=True):
            if part.num_rows:
                self._waiting.append(reducer.add.remote(part))
        self._collect(until=MAX_WAITING * len(self._reducers))
        self._progress.tally.writing = len(self._waiting)

    def flush(self) -> None:
        """Wait for the rows that are being written, and end the actors."""
        self._collect(until=0, timeout_s=FLUSH_S)
        for reducer in self._reducers:
            ray.kill(reducer)

    def _parts(self, table: pa.Table) -> Iterator[pa.Table]:
        if len(self._reducers) == 1:
            yield table
            return
        ids = table["video_id"].to_pylist()
        places = np.array([zlib.crc32(i.encode()) % len(self._reducers) for i in ids])
        for place in range(len(self._reducers)):
            yield table.filter(pa.array(places == place))

    def _collect(self, *, until: int, timeout_s: float | None = None) -> None:
        """Collect results, and wait only while more than `until` calls are pending."""
        excess = len(self._waiting) - until
        ready, self._waiting = (
            ray.wait(
                self._waiting, num_returns=max(1, excess), timeout=timeout_s if excess > 0 else 0
            )
            if self._waiting
            else ([], [])
        )
        for ref in ready:
            self._take(ref)

    def _take(self, ref: ray.ObjectRef[Any]) -> None:
        try:
            outcomes, rows = ray.get(ref)
        except RayActorError:
            return  # the reducer died: rows it had not written are found missing after the pass
        self._spool.add(rows)
        for outcome in outcomes:
            if isinstance(outcome, Lost):
                self._result.lost[outcome.video_id] = outcome.error
            else:
                self._result.committed[outcome.video_id] = outcome
                self._progress.add_row(outcome)


def root_cause(error: BaseException) -> str:
    """Return the last line of the error that caused one which came through Ray."""
    message = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if lines := str(cause).strip().splitlines():  # Ray Data's own at the root is empty
            message = lines[-1].strip()
        cause = getattr(cause, "cause", None) or cause.__cause__
    return message[:300]
