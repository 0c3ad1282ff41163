"""The summary of a run, for OUT/runs/<run_id>.json."""

from __future__ import annotations

import mimetypes
import platform
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from ah_ray import storage
from ah_ray.cohort import Plan, State
from ah_ray.cohort.listing import OF_MACOS, OTHERS
from ah_ray.exit_status import ExitStatus, final_status
from ah_ray.installation import ah_ray_version
from ah_ray.media.libav_version import libav_version
from ah_ray.naming import hide_paths, names_are_hidden
from ah_ray.output.counts import Counts
from ah_ray.output.runs import RunSummary, TableCounts
from ah_ray.pipeline.work import Work


def plan_fields(plan: Plan) -> dict[str, int]:
    """Return how many videos were in which state before the run."""
    return {state.value: n for state, n in plan.counts.items()} | {"put off": plan.put_off}


def summarize_run(
    started_at: datetime, work: Work, plan: Plan, counts: Counts | None, trouble: str | None
) -> RunSummary:
    """Return the summary of a run.

    `counts` are those of its tables, None if these could not be written. `trouble`: why the run
    ended early, or what could not be written.
    """
    settings, tally = work.resolved.settings, work.tally
    status = ExitStatus.MISSING_ROWS
    if counts is not None and not trouble:
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
        exit_status=status,
        trouble=trouble and hide_paths(trouble),
        bounded=work.stopper.reason is not None,
        config_fingerprint=work.resolved.scoring.fingerprint,
        settings=settings.model_dump(mode="json", exclude=hidden) | _reduction_settings(work),
        versions=_versions(),
        counts=counts and TableCounts.of(counts),
        figures=counts and counts.by_run.get(work.lease.holder.run_id),
        plan=plan_fields(plan),
        changes={
            "new": plan.counts[State.NEW],
            "changed": plan.counts[State.CHANGED],
            "removed": counts.n_removed if counts else 0,
            "failed": tally.by_status["failed"],
        },
        ignored_endings=_count_endings(work.cohort.ignored.count),
        videos_done=tally.done,
        clips_scored=tally.n_clips,
        video_s=tally.video_s,
        stage_s={"decode": tally.decode_s, "score": tally.score_s},
        n_decoders=tally.n_decoders,
        n_replicas=tally.n_replicas,
        gpu_hours=tally.gpu_s / 3600,
        storage_retries=storage.count_retries() + tally.storage_retries,
        cost_per_hour=settings.cost_per_hour,
        difference_from_bf16=work.comparison and work.comparison.find_difference(),
    )


def _count_endings(count: Mapping[str, int]) -> dict[str, int]:
    """Return how many files had which ending. Where names are hidden, only endings that are known
    for a kind of file: what follows a dot may be a person's name."""
    if not names_are_hidden():
        return dict(count)
    counted: Counter[str] = Counter()
    for ending, n in count.items():
        ours = ending.startswith(("(", OF_MACOS)) or ending in _KNOWN_ENDINGS
        counted[ending if ours else OTHERS] += n
    return dict(counted)


_KNOWN_ENDINGS = mimetypes.MimeTypes().types_map[True].keys() | {
    ".jsonl", ".md", ".parquet", ".srt", ".yaml", ".yml", ".lock", ".log", ".partial", ".part",
}  # fmt: skip


def _reduction_settings(work: Work) -> dict[str, object]:
    """Return the rules in force, which a calibration may have set in place of flags."""
    names = {"reducer", "threshold", "calibration_fingerprint"}
    return work.resolved.reduction.model_dump(include=names)


def _versions() -> dict[str, str]:
    packages = ("ray", "torch", "transformers", "pyarrow", "s3fs")
    return {
        "ah_ray": ah_ray_version(),
        "ffmpeg": libav_version(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
