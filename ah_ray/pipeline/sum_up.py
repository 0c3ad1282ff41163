"""What a run came to, gathered for OUT/runs/<run_id>.json."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version

from ah_ray import storage
from ah_ray.cohort import Plan, State
from ah_ray.exit_status import ExitStatus, final_status
from ah_ray.media.ffmpeg import ffmpeg_version
from ah_ray.pipeline.work import Work
from ah_ray.results.row import ah_ray_version
from ah_ray.results.runs import RunSummary, TableCounts
from ah_ray.results.tables import Counts


def told(plan: Plan) -> dict[str, int]:
    """Where the cohort stood before, in numbers."""
    return {state.value: n for state, n in plan.counts.items()} | {"put off": plan.put_off}


def sum_up(
    started_at: datetime, work: Work, plan: Plan, counts: Counts, trouble: str | None
) -> RunSummary:
    """The summary of a run whose tables have been written; `trouble` is why it ended early."""
    settings, tally = work.resolved.settings, work.tally
    status = final_status(
        n_videos=counts.n_videos,
        n_rows=counts.n_rows,
        n_failed=counts.n_failed,
        max_failed=settings.max_failed,
    )
    paths = {"videos", "out", "model", "adapter", "model_cache", "profile", "calibration"}
    hidden = {"id_key", *(paths if settings.hide_uris else ())}
    return RunSummary(
        run_id=work.lease.holder.run_id,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        exit_status=ExitStatus.MISSING_ROWS if trouble else status,
        trouble=trouble,
        bounded=work.stopper.reason is not None,
        config_fingerprint=work.resolved.scoring.fingerprint,
        settings=settings.model_dump(mode="json", exclude=hidden) | _in_force(work),
        versions=_versions(),
        counts=TableCounts.of(counts),
        plan=told(plan),
        changes={
            "new": plan.counts[State.NEW],
            "changed": plan.counts[State.CHANGED],
            "removed": counts.n_removed,
            "failed": tally.by_status["failed"],
        },
        ignored_endings=dict(work.cohort.ignored.count),
        videos_done=tally.done,
        clips_scored=tally.n_clips,
        video_s=tally.video_s,
        stage_s={"decode": tally.decode_s, "score": tally.score_s},
        n_decoders=tally.n_decoders,
        n_replicas=tally.n_replicas,
        gpu_hours=tally.gpu_s / 3600,
        storage_retries=storage.retries() + tally.storage_retries,
        cost_per_hour=settings.cost_per_hour,
        difference_from_bf16=work.comparison and work.comparison.found(),
    )


def _in_force(work: Work) -> dict[str, object]:
    """What a calibration says in place of the flags."""
    names = {"reducer", "threshold", "calibration_fingerprint"}
    return work.resolved.reduction.model_dump(include=names)


def _versions() -> dict[str, str]:
    packages = ("ray", "torch", "transformers", "pyarrow", "s3fs")
    return {
        "ah_ray": ah_ray_version(),
        "ffmpeg": ffmpeg_version(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
