"""OUT/runs/<run_id>.json: what a run did, for the morning after."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing
from ah_ray.exit_status import ExitStatus
from ah_ray.records import SCHEMA_VERSION
from ah_ray.results.difference import Difference
from ah_ray.results.tables import Counts


def new_run_id(now: datetime | None = None) -> str:
    """`20260102T030405.678Z-9f86d081`: the time in UTC, then chance. Sorts by time."""
    now = now or datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(4)}"


class TableCounts(BaseModel):
    """What the final tables hold, over the whole cohort."""

    model_config = ConfigDict(frozen=True)

    videos: int  # of the cohort
    rows: int
    missing: int
    clips: int
    duration_s: float
    by_status: dict[str, int]
    failed_by_kind: dict[str, int]
    partial_by_kind: dict[str, int]

    @classmethod
    def of(cls, counts: Counts) -> TableCounts:
        return cls(
            videos=counts.n_videos,
            rows=counts.n_rows,
            missing=counts.n_missing,
            clips=counts.n_clips,
            duration_s=counts.duration_s,
            by_status=dict(counts.by_status),
            failed_by_kind=dict(counts.failed_by_kind),
            partial_by_kind=dict(counts.partial_by_kind),
        )


class RunSummary(BaseModel):
    """One run of one job. Rates are of this run alone, `counts` of the whole cohort."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    run_id: str
    job: str = "score"
    started_at: datetime
    ended_at: datetime
    exit_status: ExitStatus
    trouble: str | None = None  # why it ended early, if it did
    bounded: bool = False  # because it was told to: at a deadline, or when a budget was spent

    config_fingerprint: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)  # by the names of the flags
    versions: dict[str, str] = Field(default_factory=dict)  # ah_ray, ffmpeg, torch, …

    counts: TableCounts | None = None  # null if the tables could not be written
    plan: dict[str, int] = Field(default_factory=dict)  # where the cohort stood before: state → n
    ignored_endings: dict[str, int] = Field(default_factory=dict)  # not videos, by name
    notes: dict[str, int] = Field(default_factory=dict)  # what else was counted
    changes: dict[str, int] = Field(default_factory=dict)  # since the run before: what → videos

    videos_done: int = 0  # rows that this run wrote
    clips_scored: int = 0
    video_s: float = 0.0  # seconds of video that these rows cover
    stage_s: dict[str, float] = Field(default_factory=dict)  # wall or busy seconds, by stage
    n_decoders: int = 0
    n_replicas: int = 0
    gpu_hours: float = 0.0  # GPUs of the cluster × hours, at work or not
    storage_retries: int = 0
    difference_from_bf16: Difference | None = None  # of P(A/H), where cheaper arithmetic scored
    cost_per_hour: float | None = None  # of all machines of the run

    @property
    def wall_s(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()

    def as_fields(self) -> dict[str, Any]:
        """With the rates that follow from the rest, so a reader need not divide."""
        hours = self.wall_s / 3600
        rates = {
            "wall_s": self.wall_s,
            "clips_per_s": self.clips_scored / self.wall_s if self.wall_s else None,
            "video_hours_per_hour": self.video_s / self.wall_s if self.wall_s else None,
            "cost": None if self.cost_per_hour is None else self.cost_per_hour * hours,
        }
        return _WithRates(**self.model_dump(), rates=rates).model_dump(mode="json")


class _WithRates(RunSummary):
    rates: dict[str, float | None]


def write_summary(out: str, summary: RunSummary) -> str:
    """Writes OUT/runs/<run_id>.json; returns its URI. Raises StorageError."""
    uri = _uri(out, summary.run_id)
    text = json.dumps(summary.as_fields(), indent=2, ensure_ascii=False)
    storage.write_whole(uri, text.encode() + b"\n")
    return uri


def read_summary(out: str, run_id: str) -> RunSummary:
    """Raises ConfigError if there is no such run, or its file is damaged."""
    uri = _uri(out, run_id)
    try:
        found = _WithRates.model_validate_json(storage.read_bytes(uri))
    except ObjectMissing:
        raise ConfigError(f"{out} knows no run {run_id}") from None
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ConfigError(f"{uri} is no run summary of this ah_ray: {problem}") from None
    return RunSummary(**found.model_dump(exclude={"rates"}))


def latest_summaries(out: str, n: int) -> Iterator[RunSummary]:
    """Of the last n runs that ended, newest first; damaged ones are passed over."""
    for run_id in reversed(run_ids(out)[-n:]):
        with suppress(ConfigError):
            yield read_summary(out, run_id)


def latest_summary(
    out: str, wanted: Callable[[RunSummary], bool], look_at: int = 20
) -> RunSummary | None:
    """The newest of the last runs that is `wanted`."""
    return next(filter(wanted, latest_summaries(out, look_at)), None)


def run_ids(out: str) -> list[str]:
    """Of all runs that ended, oldest first."""
    try:
        pages = list(storage.list_pages(storage.join(out, "runs")))
    except ObjectMissing:
        return []
    keys = [entry.key for page in pages for entry in page]
    return sorted(key.removesuffix(".json") for key in keys if key.endswith(".json"))


def _uri(out: str, run_id: str) -> str:
    return storage.join(out, "runs", f"{run_id}.json")
