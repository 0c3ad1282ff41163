"""The counts of a run so far, and the rates that follow. Pure: time comes from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ah_ray.records import Committed

STARTING, WAITING = "starting actors", "waiting for GPUs"
"""Stages before the first score comes."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """The work that is done: clips that were scored, rows that were written."""

    total: int  # videos to be worked off
    n_decoders: int = 1
    n_replicas: int = 1  # as of the last look: they come and go with the cluster's GPUs
    started_s: float = 0.0
    stage: str = STARTING
    by_status: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    n_clips: int = 0  # scored, or found to be unscorable
    n_failed_clips: int = 0
    video_s: float = 0.0
    n_bytes: int = 0  # of the videos whose rows are written
    decode_s: float = 0.0
    score_s: float = 0.0
    replica_s: float = 0.0  # replicas × time
    gpu_s: float = 0.0  # GPUs of the cluster × time, at work or not
    storage_retries: int = 0  # of decoders and reducers
    writing: int = 0  # calls under way to reducers
    _looked_s: float | None = None

    def add_scores(self, n_clips: int, score_s: float, decode_s: float, n_failed: int = 0) -> None:
        self.n_clips += n_clips
        self.n_failed_clips += n_failed
        self.score_s += score_s
        self.decode_s += decode_s

    def add_rows(self, rows: Iterable[Committed]) -> None:
        for row in rows:
            self.by_status[row.status] += 1
            self.video_s += row.duration_s
            self.n_bytes += row.size_bytes
            self.storage_retries += row.storage_retries
            if row.error_kind:
                self.by_kind[row.error_kind] += 1

    def note_machines(self, now_s: float, *, n_replicas: int, n_gpus: int) -> None:
        """Note how many replicas and GPUs there are, and count them since the last call."""
        since_s = now_s - (self.started_s if self._looked_s is None else self._looked_s)
        self._looked_s = now_s
        self.n_replicas = n_replicas
        self.replica_s += n_replicas * since_s
        self.gpu_s += n_gpus * since_s

    @property
    def done(self) -> int:
        return sum(self.by_status.values())

    def rates(self, now_s: float) -> Rates:
        elapsed_s = max(now_s - self.started_s, 1e-9)
        replica_s = self.replica_s or elapsed_s * max(1, self.n_replicas)
        left = self.total - self.done
        return Rates(
            elapsed_s=elapsed_s,
            clips_per_s=self.n_clips / elapsed_s,
            video_h_per_h=self.video_s / elapsed_s,
            eta_s=left * elapsed_s / self.done if self.done else None,
            decoders_busy=min(1.0, self.decode_s / (elapsed_s * self.n_decoders)),
            replicas_busy=min(1.0, self.score_s / replica_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Speed and shares of a run, from a tally and the time."""

    elapsed_s: float
    clips_per_s: float
    video_h_per_h: float
    eta_s: float | None
    decoders_busy: float
    replicas_busy: float


def report(tally: Tally, now_s: float) -> dict[str, Any]:
    """Return the progress as the lease and the log hold it."""
    rates = {
        name: value if value is None else round(value, 3)
        for name, value in asdict(tally.rates(now_s)).items()
    }
    return {
        "stage": tally.stage,
        "videos_total": tally.total,
        "videos_done": tally.done,
        "videos_failed": tally.by_status["failed"],
        "videos_partial": tally.by_status["partial"],
        "clips": tally.n_clips,
        "decoders": tally.n_decoders,
        "replicas": tally.n_replicas,
        "gpu_hours": round(tally.gpu_s / 3600, 3),
        "storage_retries": tally.storage_retries,
        **rates,
    }
