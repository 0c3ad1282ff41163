"""OUT/runs/<run_id>.json: the summary of a run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.exit_status import ExitStatus
from ah_ray.output.counts import Counts
from ah_ray.records import SCHEMA_VERSION
from ah_ray.validation import FrozenModel, first_problem
from ah_ray.verdicts.difference import Difference
from ah_ray.verdicts.night_figures import NightFigures


def new_run_id(now: datetime | None = None) -> str:
    """Return an id such as `20260102T030405.678Z-9f86d081`: the UTC time, then random digits.

    Ids sort by time.
    """
    now = now or datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(4)}"


class TableCounts(FrozenModel):
    """Counts of what the final tables hold, over the whole cohort."""

    model_config = ConfigDict(extra="ignore")  # a later version may have written more

    videos: int  # of the cohort
    rows: int
    missing: int
    clips: int
    duration_s: float
    by_status: dict[str, int]
    failed_by_kind: dict[str, int]
    partial_by_kind: dict[str, int]
    by_remark: dict[str, int] = Field(default_factory=dict)

    @classmethod
    def of(cls, counts: Counts) -> TableCounts:
        """Return the counts for a summary."""
        return cls(
            videos=counts.n_videos,
            rows=counts.n_rows,
            missing=counts.n_missing,
            clips=counts.n_clips,
            duration_s=counts.duration_s,
            by_status=dict(counts.by_status),
            failed_by_kind=dict(counts.failed_by_kind),
            partial_by_kind=dict(counts.partial_by_kind),
            by_remark=dict(counts.by_remark),
        )


class RunSummary(FrozenModel):
    """One run of one job. Rates cover this run alone, `counts` the whole cohort."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    job: str = "score"
    started_at: datetime
    ended_at: datetime
    exit_status: ExitStatus
    trouble: str | None = None  # why it ended early, if it did
    bounded: bool = False  # by a deadline or a budget

    config_fingerprint: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)  # by the names of the flags
    versions: dict[str, str] = Field(default_factory=dict)  # ah_ray, ffmpeg, torch, …

    counts: TableCounts | None = None  # null if the tables could not be written
    plan: dict[str, int] = Field(
        default_factory=dict
    )  # states of the cohort before the run: state → n
    ignored_endings: dict[str, int] = Field(default_factory=dict)  # not videos, by name
    notes: dict[str, int] = Field(default_factory=dict)  # what else was counted
    changes: dict[str, int] = Field(default_factory=dict)  # since the run before: what → videos
    figures: NightFigures | None = None  # of the rows that this run wrote

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
        """Return the seconds from start to end."""
        return (self.ended_at - self.started_at).total_seconds()

    def as_fields(self) -> dict[str, Any]:
        """Return the fields of the file, including rates that follow from the other fields."""
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
    """Write OUT/runs/<run_id>.json. Return its URI.

    Raise StorageError, also if storage acknowledged the file but does not have it.
    """
    uri = _uri(out, summary.run_id)
    text = json.dumps(summary.as_fields(), indent=2, ensure_ascii=False).encode() + b"\n"
    storage.write_whole(uri, text)
    if storage.read_bytes(uri) != text:
        raise StorageError(f"{uri} is not what storage has just acknowledged")
    return uri


def read_summary(out: str, run_id: str) -> RunSummary:
    """Return the summary of a run. Raise ConfigError if there is none, or if it is damaged."""
    uri = _uri(out, run_id)
    try:
        found = _WithRates.model_validate_json(storage.read_bytes(uri))
    except ObjectMissing:
        raise ConfigError(f"{out} knows no run {run_id}") from None
    except ValidationError as error:
        raise ConfigError(
            f"{uri} is no run summary of this ah_ray: {first_problem(error)}"
        ) from None
    return RunSummary(**found.model_dump(exclude={"rates"}))


def latest_summaries(out: str, n: int) -> Iterator[RunSummary]:
    """Yield the summaries of the last n runs that ended, newest first. Skip damaged ones."""
    for run_id in reversed(run_ids(out)[-n:]):
        with suppress(ConfigError):
            yield read_summary(out, run_id)


def latest_summary(
    out: str, wanted: Callable[[RunSummary], bool], look_at: int = 20
) -> RunSummary | None:
    """Return the newest of the last runs for which `wanted` is true; None if there is none."""
    return next(filter(wanted, latest_summaries(out, look_at)), None)


def run_ids(out: str) -> list[str]:
    """Return the ids of all runs that ended, oldest first."""
    try:
        pages = list(storage.list_pages(storage.join(out, "runs")))
    except ObjectMissing:
        return []
    keys = [entry.key for page in pages for entry in page]
    return sorted(key.removesuffix(".json") for key in keys if key.endswith(".json"))


def _uri(out: str, run_id: str) -> str:
    return storage.join(out, "runs", f"{run_id}.json")
