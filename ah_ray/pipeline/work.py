"""The work of one run: what is pending gets its rows, whatever fails on the way."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from ah_ray import cluster
from ah_ray import cohort as cohorts
from ah_ray.cohort import Cohort
from ah_ray.errors import ErrorKind
from ah_ray.logs import LogSettings
from ah_ray.pipeline import capacity, graph
from ah_ray.pipeline.comparison import Comparison
from ah_ray.pipeline.first_clip import any_clip, without_model
from ah_ray.pipeline.heal import heal
from ah_ray.pipeline.meter import Meter, machines
from ah_ray.pipeline.metrics import Metrics
from ah_ray.pipeline.notices import Messenger, Notices
from ah_ray.pipeline.passes import PassResult, run_pass
from ah_ray.pipeline.progress import Progress
from ah_ray.pipeline.reducer import committed_row
from ah_ray.pipeline.resolve import Resolved, open_cohort
from ah_ray.pipeline.stages import Stages, clip_bytes, stages_of
from ah_ray.pipeline.stopping import Bounds, Stopper
from ah_ray.pipeline.tally import WAITING, Tally, report
from ah_ray.records import Scored, Video, VideoFacts
from ah_ray.results.commit import commit as commit_row
from ah_ray.results.lease import Lease
from ah_ray.results.row import Provenance, verdict_row
from ah_ray.results.spool import Spool

COMMITS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRow:
    """What a reducer does with a complete video."""

    out: str
    resolved: Resolved
    provenance: Provenance

    def __call__(self, scored: Scored) -> dict:
        row = verdict_row(
            scored,
            reduction=self.resolved.reduction,
            scoring=self.resolved.scoring,
            provenance=self.provenance,
        )
        commit_row(self.out, row, stale=scored.video.stale)
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
        """Gives each pending video its row; starts Ray only if one must be opened."""
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
            )
            graph.configure(clip_bytes(self.resolved))
            with self._watched(pools) as (progress, say):
                stages = stages_of(self.resolved, pools, self.write_row, log=self.log, say=say)
                stages = self._as_needed(openable, stages)
                self._compare(openable, stages, progress)
                self.missing = heal(
                    openable,
                    score=lambda videos: run_pass(videos, stages, progress, self.spool, self.check),
                    score_alone=lambda video: self._alone(video, stages, progress),
                    find_pending=self._find_pending,
                    give_up=self._give_up,
                )

    def report(self) -> dict[str, Any]:
        """How far it is; the lease carries it to those who look from elsewhere."""
        return report(self.tally, time.monotonic())

    def check(self) -> None:
        """Raises if the run must end: its lease is lost, or it was asked to stop."""
        self.lease.check()
        self.stopper.check()

    @contextmanager
    def _watched(self, pools: graph.Pools) -> Iterator[tuple[Progress, Messenger]]:
        """All that shows and counts what goes on."""
        n_models = len(self.resolved.models)
        most_replicas = pools.max_replicas * n_models
        self.tally.n_decoders = min(pools.max_decoders, capacity.cpus())
        progress = Progress(self.console, self.tally, as_events=self.log.json)
        meter = Meter(
            self.tally,
            Metrics(self.lease.holder.run_id),
            lambda: machines(self.resolved.gpus_per_replica, most_replicas),
            needed_gpus=self.resolved.gpus_per_replica * n_models,
            bounds=self.bounds,
            stopper=self.stopper,
        )
        with progress, Notices(self._shown_by(progress)) as notices, meter:
            yield progress, notices.messenger

    def _shown_by(self, progress: Progress):
        """What replicas say, shown to who started the run; sentences that name a path are not,
        where paths are to be hidden."""
        hide = self.resolved.settings.hide_uris

        def show(text: str) -> None:
            if not (hide and (" /" in text or "://" in text)):
                progress.say(text)

        return show

    def _as_needed(self, videos: Sequence[Video], stages: Stages) -> Stages:
        """Without GPUs, if there are none yet and no recording can be decoded anyhow."""
        each = self.resolved.gpus_per_replica
        if not each or capacity.gpus() >= each * len(self.resolved.models):
            return stages
        self.tally.stage = "decoding a first clip, before GPUs are asked for"
        if not any_clip(videos, stages, self.check):
            return without_model(stages)
        self.tally.stage = WAITING
        return stages

    def _compare(self, videos: Sequence[Video], stages: Stages, progress: Progress) -> None:
        if self.comparison is None or self.comparison.known() is not None:
            return
        self.tally.stage = "scoring some in bf16, to compare"
        trouble = self.comparison.score_plainly(videos, stages, self.check)
        if trouble:
            progress.say(f"The comparison with bf16 ended early: {trouble}")

    def _alone(self, video: Video, stages: Stages, progress: Progress) -> PassResult:
        progress.tally.stage = "trying alone"
        alone = replace(stages.pools, max_decoders=1, max_replicas=1, retries=1)
        stages = replace(stages, pools=alone)
        return run_pass([video], stages, progress, self.spool, self.check)

    def _find_pending(self, ids: Collection[str]) -> list[Video]:
        """Lists cohort and rows anew: content may have changed, videos may have gone."""
        self.tally.stage = "looking for what was lost"
        self.cohort = open_cohort(self.resolved, self.out)
        plan = cohorts.plan(
            self.cohort,
            cohorts.committed_names(self.out),
            failures={},
            config_fingerprint=self.resolved.scoring.fingerprint,
        )
        pending = [video for video in plan if video.video_id in ids]
        self._write_unopened(video for video in pending if video.problem_kind is not None)
        return [video for video in pending if video.problem_kind is None]

    def _write_unopened(self, videos: Iterable[Video]) -> None:
        """Rows of videos that listing already found missing, or denied."""
        scored = (
            Scored(
                video=video,
                facts=VideoFacts(n_clips=0, error_kind=video.problem_kind, error=video.problem),
            )
            for video in videos
        )
        with ThreadPoolExecutor(COMMITS_AT_ONCE) as pool:
            for row in pool.map(self.write_row, scored):
                self.tally.committed([committed_row(row)])

    def _give_up(self, video: Video) -> None:
        error = "it killed the process that worked on it, each time; scored alone it did so again"
        facts = VideoFacts(n_clips=0, error_kind=ErrorKind.CRASH, error=error)
        row = self.write_row(Scored(video=video, facts=facts))
        self.tally.committed([committed_row(row)])
