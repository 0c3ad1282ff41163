"""What Prometheus sees of a run: the driver's tally, published as it grows.

Ray exports it on every node's metrics port, beside its own metrics and Ray Data's (queues, object
store, spilling). Names here begin with `ah_ray_`; Ray puts `ray_` before all of them. It exports
every few seconds, so the last ones of a run may be missing there; its summary is exact.
"""

from __future__ import annotations

from collections import defaultdict

from ray.util.metrics import Counter, Gauge

from ah_ray.pipeline.reporting.tally import Tally

COUNTERS = {
    "ah_ray_videos": ("videos that got their row", ("status",)),
    "ah_ray_videos_failed": ("videos that failed or are partial, by error_kind", ("kind",)),
    "ah_ray_clips": ("clips that replicas answered, or passed on as failed", ("result",)),
    "ah_ray_video_seconds": ("seconds of video that rows were written of", ()),
    "ah_ray_bytes": ("bytes of the videos that rows were written of", ()),
    "ah_ray_stage_seconds": ("busy seconds of all actors of a stage", ("stage",)),
    "ah_ray_gpu_seconds": ("seconds that each GPU of the cluster was up while runs went on", ()),
    "ah_ray_storage_retries": ("storage calls tried again by decoders and reducers", ()),
}
GAUGES = {
    "ah_ray_videos_waiting": "videos of this run without a row yet",
    "ah_ray_rows_under_way": "calls under way to reducers",
    "ah_ray_decoders": "decoders that this run may use",
    "ah_ray_replicas": "replicas, loading or at work",
    "ah_ray_gpu_busy_share": "share of the replicas' time in passes since the last look",
}
_RUN = ("run_id",)


class Metrics:
    """One run's metrics. `publish` is called now and then, by one thread."""

    def __init__(self, run_id: str):
        self._tags = {"run_id": run_id}
        self._counters = {
            name: Counter(name, description=text, tag_keys=(*_RUN, *keys))
            for name, (text, keys) in COUNTERS.items()
        }
        self._gauges = {
            name: Gauge(name, description=text, tag_keys=_RUN) for name, text in GAUGES.items()
        }
        self._published: dict[tuple[str, str], float] = defaultdict(float)

    def publish(self, tally: Tally) -> None:
        """Add to the counters what is new since the last call, and set the gauges."""
        busy_before = self._published["ah_ray_stage_seconds", "score"]
        replica_s_before = self._published["replica_s", ""]
        for (name, tag), value in _totals(tally).items():
            new = value - self._published[name, tag]
            self._published[name, tag] = value
            if new > 0 and name in self._counters:
                _, keys = COUNTERS[name]
                tags = self._tags | (dict.fromkeys(keys, tag) if keys else {})
                self._counters[name].inc(new, tags)
        replica_s = tally.replica_s - replica_s_before
        busy = (tally.score_s - busy_before) / replica_s if replica_s > 0 else 0.0
        for name, value in {
            "ah_ray_videos_waiting": tally.total - tally.done,
            "ah_ray_rows_under_way": tally.writing,
            "ah_ray_decoders": tally.n_decoders,
            "ah_ray_replicas": tally.n_replicas,
            "ah_ray_gpu_busy_share": min(1.0, busy),
        }.items():
            self._gauges[name].set(value, self._tags)

    def withdraw(self) -> None:
        """Set all gauges to 0, since the run has ended."""
        for gauge in self._gauges.values():
            gauge.set(0, self._tags)


def _totals(tally: Tally) -> dict[tuple[str, str], float]:
    """(counter, value of its tag) → its value so far."""
    return {
        **{("ah_ray_videos", status): n for status, n in tally.by_status.items()},
        **{("ah_ray_videos_failed", kind): n for kind, n in tally.by_kind.items()},
        ("ah_ray_clips", "scored"): tally.n_clips - tally.n_failed_clips,
        ("ah_ray_clips", "failed"): tally.n_failed_clips,
        ("ah_ray_video_seconds", ""): tally.video_s,
        ("ah_ray_bytes", ""): tally.n_bytes,
        ("ah_ray_stage_seconds", "decode"): tally.decode_s,
        ("ah_ray_stage_seconds", "score"): tally.score_s,
        ("ah_ray_gpu_seconds", ""): tally.gpu_s,
        ("ah_ray_storage_retries", ""): tally.storage_retries,
        ("replica_s", ""): tally.replica_s,
    }
