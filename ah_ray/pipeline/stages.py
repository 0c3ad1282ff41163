"""What the stages of a pass are made of, from the settings of the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ah_ray.logs import LogSettings
from ah_ray.omni.local_copy import Say
from ah_ray.pipeline.decoder import DecodeSettings
from ah_ray.pipeline.graph import Pools
from ah_ray.pipeline.reducer import Commit
from ah_ray.pipeline.replica import ReplicaSettings
from ah_ray.pipeline.resolve import Resolved, model_cache

MOST_REDUCERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Decoders, replicas and reducers of a pass."""

    decode: DecodeSettings
    replicas: tuple[ReplicaSettings, ...]  # one for each model
    pools: Pools
    commit: Commit
    log: LogSettings = field(default_factory=LogSettings)
    n_reducers: int = 1
    replica_class: type | None = None  # another scorer: a benchmark's, or none


def stages_of(
    resolved: Resolved,
    pools: Pools,
    commit: Commit,
    *,
    log: LogSettings | None = None,
    say: Say = print,
    replica_class: type | None = None,
) -> Stages:
    """The stages of a run with these settings."""
    scoring, settings = resolved.scoring, resolved.settings
    log = log or LogSettings()
    return Stages(
        decode=DecodeSettings(
            profile=scoring.profile, windows=scoring.windows, limits=settings.limits, log=log
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
                log=log,
            )
            for model in resolved.models
        ),
        pools=pools,
        commit=commit,
        log=log,
        n_reducers=min(MOST_REDUCERS, pools.max_replicas),
        replica_class=replica_class,
    )


def clip_bytes(resolved: Resolved) -> int:
    """Bytes of a full clip, at most."""
    profile, window_s = resolved.scoring.profile, resolved.scoring.windows.window_s
    n_frames = max(profile.min_frames, round(window_s * profile.fps))
    return round(n_frames * profile.max_pixels * 3 + window_s * 16_000 * 4)
