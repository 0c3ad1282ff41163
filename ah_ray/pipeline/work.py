"""The work of one run: what is pending gets its rows, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from rich.console import Console

from ah_ray import cohort as cohorts
from ah_ray.cohort import Cohort
from ah_ray.errors import ErrorKind, OutputBusy
from ah_ray.omni.local_copy import Say
from ah_ray.pipeline import cluster, graph
from ah_ray.pipeline.comparison import Comparison
from ah_ray.pipeline.decoder import DecodeSettings
from ah_ray.pipeline.heal import heal
from ah_ray.pipeline.notices import Notices
from ah_ray.pipeline.passes import PassResult, Stages, run_pass
from ah_ray.pipeline.progress import Progress, Tally
from ah_ray.pipeline.reducer import Commit, committed_row
from ah_ray.pipeline.replica import ReplicaSettings
from ah_ray.pipeline.resolve import Resolved, model_cache
from ah_ray.records import Scored, Video, VideoFacts
from ah_ray.results.commit import commit as commit_row
from ah_ray.results.lease import Lease
from ah_ray.results.row import Provenance, verdict_row

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
            reduction=self.resolved.settings.reduction,
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
            pools = cluster.pools(
                gpus_per_replica=self.resolved.gpus_per_replica,
                decoders=self.resolved.settings.decoders,
                replicas=self.resolved.settings.replicas,
                n_models=len(self.resolved.models),
            )
            self.tally.n_decoders = pools.max_decoders
            self.tally.n_replicas = pools.max_replicas * len(self.resolved.models)
            graph.configure(clip_bytes(self.resolved))
            with Progress(self.console, self.tally) as progress, self._notices(progress) as notices:
                stages = stages_of(self.resolved, pools, self.write_row, say=notices.messenger)
                self._compare(openable, stages, progress)
                self.missing = heal(
                    openable,
                    score=lambda videos: run_pass(videos, stages, progress, self._check_lease),
                    score_alone=lambda video: self._alone(video, stages, progress),
                    find_pending=self._find_pending,
                    give_up=self._give_up,
                )

    def _compare(self, videos: Sequence[Video], stages: Stages, progress: Progress) -> None:
        if self.comparison is None or self.comparison.known() is not None:
            return
        self.tally.stage = "scoring some in bf16, to compare"
        trouble = self.comparison.score_plainly(videos, stages, self._check_lease)
        if trouble:
            progress.say(f"The comparison with bf16 ended early: {trouble}")

    def _notices(self, progress: Progress) -> Notices:
        """What replicas say, shown to who started the run; sentences that name a path are not,
        where paths are to be hidden."""
        hide = self.resolved.settings.hide_uris

        def show(text: str) -> None:
            if not (hide and (" /" in text or "://" in text)):
                progress.say(text)

        return Notices(show)

    def _alone(self, video: Video, stages: Stages, progress: Progress) -> PassResult:
        progress.tally.stage = "trying alone"
        alone = replace(stages.pools, max_decoders=1, max_replicas=1, retries=1)
        return run_pass([video], replace(stages, pools=alone), progress, self._check_lease)

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

    def _check_lease(self) -> None:
        if self.lease.lost.is_set():
            raise OutputBusy(f"the lease of {self.out} was taken by another run; this one stops")


def stages_of(
    resolved: Resolved,
    pools: graph.Pools,
    commit: Commit,
    *,
    say: Say = print,
    replica_class: type | None = None,
) -> Stages:
    """The stages of a pass; a benchmark brings another replica."""
    scoring, settings = resolved.scoring, resolved.settings
    return Stages(
        decode=DecodeSettings(
            profile=scoring.profile, windows=scoring.windows, limits=settings.limits
        ),
        replicas=tuple(
            ReplicaSettings(
                model=str(model.place),
                base_fingerprint=model.fingerprint,
                adapters=settings.adapter,
                cache=model_cache(settings),
                profile=scoring.profile,
                arithmetic=scoring.arithmetic,
                n_gpus=resolved.gpus_per_replica,
                is_last=model is resolved.models[-1],
                say=say,
            )
            for model in resolved.models
        ),
        pools=pools,
        commit=commit,
        n_reducers=min(8, pools.max_replicas),
        replica_class=replica_class,
    )


def open_cohort(resolved: Resolved, out: str) -> Cohort:
    settings = resolved.settings
    return cohorts.open_cohort(
        settings.videos, endings=settings.endings, id_key=resolved.id_key, exclude=out
    )


def clip_bytes(resolved: Resolved) -> int:
    """Bytes of a full clip, at most."""
    profile, window_s = resolved.scoring.profile, resolved.scoring.windows.window_s
    n_frames = max(profile.min_frames, round(window_s * profile.fps))
    return round(n_frames * profile.max_pixels * 3 + window_s * 16_000 * 4)
