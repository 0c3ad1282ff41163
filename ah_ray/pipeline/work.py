"""The work of one run: each pending video gets its row, even if parts of the run fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from rich.console import Console

from ah_ray import cluster
from ah_ray import cohort as cohorts
from ah_ray.cohort import Cohort
from ah_ray.errors import ErrorKind, StorageError
from ah_ray.logs import LogSettings
from ah_ray.output.embeddings.files import kept_names, remove_embeddings, write_embeddings
from ah_ray.output.lease import Lease
from ah_ray.output.lease_guard import LeaseGuard
from ah_ray.output.row import Provenance, verdict_row
from ah_ray.output.row_files import commit_row as commit_row
from ah_ray.output.spool import Spool
from ah_ray.pipeline import capacity, graph
from ah_ray.pipeline.actors.actor_messages import Messenger, Notices
from ah_ray.pipeline.actors.blocks import Row
from ah_ray.pipeline.actors.reducer import committed_row
from ah_ray.pipeline.comparison import Comparison
from ah_ray.pipeline.first_clip import any_clip, without_model
from ah_ray.pipeline.heal import heal
from ah_ray.pipeline.passes import PassResult, run_pass
from ah_ray.pipeline.reporting.metrics import Metrics
from ah_ray.pipeline.reporting.monitor import Monitor, count_machines
from ah_ray.pipeline.reporting.progress import Progress
from ah_ray.pipeline.reporting.tally import WAITING, Tally, report
from ah_ray.pipeline.resolve import Resolved, open_cohort
from ah_ray.pipeline.stages import Stages, clip_bytes, stages_of
from ah_ray.pipeline.stopping import Bounds, Stopper
from ah_ray.records import Scored, Video, VideoFacts

COMMITS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRow:
    """What a reducer does with a complete video."""

    out: str
    resolved: Resolved
    provenance: Provenance
    guard: LeaseGuard | None = None  # of the run's lease

    def __call__(self, scored: Scored) -> Row:
        row = verdict_row(
            scored,
            reduction=self.resolved.reduction,
            scoring=self.resolved.scoring,
            provenance=self.provenance,
        )
        if self.resolved.settings.keep_embeddings:
            write_embeddings(self.out, row, scored.clips, guard=self.guard)
        elif row["attempts"] > 1:
            remove_embeddings(self.out, row, guard=self.guard)  # those of an earlier attempt
        commit_row(self.out, row, stale=scored.video.stale, guard=self.guard)
        return row


@dataclass(slots=True, kw_only=True)
class Work:
    """One run's work on one output, under its lease."""

    resolved: Resolved
    out: str
    write_row: WriteRow
    lease: Lease
    console: Console
    cohort: Cohort
    tally: Tally
    log: LogSettings
    stopper: Stopper
    bounds: Bounds
    spool: Spool
    comparison: Comparison | None = None  # where cheaper arithmetic scores
    missing: dict[str, str] = field(default_factory=dict)  # video_id → why it has no row

    def do(self, pending: Sequence[Video]) -> None:
        """Write the row of each pending video. Start Ray only if a recording must be opened."""
        self.tally.total = len(pending)
        openable = [video for video in pending if video.problem_kind is None]
        self._write_unopened(video for video in pending if video.problem_kind is not None)
        if not openable:
            return
        with cluster.connected():
            pools = capacity.pools(
                gpus_per_replica=self.resolved.gpus_per_replica,
                decoders=self.resolved.settings.decoders,
                replicas=self.resolved.settings.replicas,
                n_models=len(self.resolved.models),
                n_videos=len(openable),
            )
            graph.configure(clip_bytes(self.resolved))
            with self._show_progress(pools) as (progress, say):
                stages = stages_of(self.resolved, pools, self.write_row, log=self.log, say=say)
                stages = self._needed_stages(openable, stages)
                self._compare(openable, stages, progress)
                self.missing |= heal(
                    openable,
                    score=lambda videos: run_pass(videos, stages, progress, self.spool, self.check),
                    score_alone=lambda video: self._score_alone(video, stages, progress),
                    find_pending=self._find_pending,
                    give_up=self._give_up,
                )

    def report(self) -> dict[str, Any]:
        """Return the progress, which the lease carries for jobs/status.py."""
        return report(self.tally, time.monotonic())

    def check(self) -> None:
        """Raise if the run must end: its lease is lost, or it was asked to stop."""
        self.lease.check()
        self.stopper.check()

    @contextmanager
    def _show_progress(self, pools: graph.Pools) -> Iterator[tuple[Progress, Messenger]]:
        """Show and count the progress, as long as the context is entered."""
        n_models = len(self.resolved.models)
        most_replicas = pools.max_replicas * n_models
        self.tally.n_decoders = min(pools.max_decoders, capacity.cpus())
        progress = Progress(self.console, self.tally, as_events=self.log.json)
        monitor = Monitor(
            self.tally,
            Metrics(self.lease.holder.run_id),
            lambda: count_machines(self.resolved.gpus_per_replica, most_replicas),
            needed_gpus=self.resolved.gpus_per_replica * n_models,
            bounds=self.bounds,
            stopper=self.stopper,
        )
        with progress, Notices(self._print_function(progress)) as notices, monitor:
            yield progress, notices.messenger

    def _print_function(self, progress: Progress) -> Callable[[str], None]:
        """Return the function that prints messages of actors. With --hide-uris it leaves out those
        that hold a path."""
        hide = self.resolved.settings.hide_uris

        def show(text: str) -> None:
            if not (hide and (" /" in text or "://" in text)):
                progress.say(text)

        return show

    def _needed_stages(self, videos: Sequence[Video], stages: Stages) -> Stages:
        """Return stages without GPUs, if there are none yet and no recording can be decoded."""
        each = self.resolved.gpus_per_replica
        if not each or capacity.gpus() >= each * len(self.resolved.models):
            return stages
        self.tally.stage = "decoding a first clip, before GPUs are asked for"
        if not any_clip(videos, stages, self.check):
            return without_model(stages)
        self.tally.stage = WAITING
        return stages

    def _compare(self, videos: Sequence[Video], stages: Stages, progress: Progress) -> None:
        if self.comparison is None or self.comparison.find_earlier() is not None:
            return
        self.tally.stage = "scoring some in bf16, to compare"
        trouble = self.comparison.score_in_bf16(videos, stages, self.check)
        if trouble:
            progress.say(f"The comparison with bf16 ended early: {trouble}")

    def _score_alone(self, video: Video, stages: Stages, progress: Progress) -> PassResult:
        progress.tally.stage = "trying alone"
        alone = replace(stages.pools, max_decoders=1, max_replicas=1, retries=1)
        stages = replace(stages, pools=alone)
        return run_pass([video], stages, progress, self.spool, self.check)

    def _find_pending(self, ids: Collection[str]) -> list[Video]:
        """List cohort and rows again, since recordings may have changed or been removed."""
        self.tally.stage = "looking for what was lost"
        self.lease.confirm()
        self.cohort = open_cohort(self.resolved, self.out)
        plan = cohorts.make_plan(
            self.cohort,
            cohorts.committed_names(self.out),
            failures={},
            config_fingerprint=self.resolved.scoring.fingerprint,
            kept=kept_names(self.out) if self.resolved.settings.keep_embeddings else None,
        )
        pending = [video for video in plan if video.video_id in ids]
        self._write_unopened(video for video in pending if video.problem_kind is not None)
        return [video for video in pending if video.problem_kind is None]

    def _write_unopened(self, videos: Iterable[Video]) -> None:
        """Write the rows of videos that listing already found missing or denied.

        A few at a time, so that the deadline, Ctrl-C and a lost lease end it soon.
        """
        left = iter(videos)
        while some := list(islice(left, COMMITS_AT_ONCE)):
            self.lease.check()
            if reason := self.bounds.find_reached(datetime.now().astimezone(), self.tally.gpu_s):
                self.stopper.ask(reason)
            self.check()
            with ThreadPoolExecutor(COMMITS_AT_ONCE) as pool:
                list(pool.map(self._write_failed, some))

    def _give_up(self, video: Video) -> None:
        error = "it killed the process that worked on it, each time; scored alone it did so again"
        self._write_failed(replace(video, problem_kind=ErrorKind.CRASH, problem=error))

    def _write_failed(self, video: Video) -> None:
        """Write the row of a video that is not opened. If storage fails, only this row is lost."""
        facts = VideoFacts(n_clips=0, error_kind=video.problem_kind, error=video.problem)
        try:
            row = self.write_row(Scored(video=video, facts=facts))
        except StorageError as error:
            self.missing[video.video_id] = str(error)
            return
        self.tally.add_rows([committed_row(row)])
