"""The stages of a pass, from the settings of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.logs import LogSettings
from ah_ray.media.resize import most_pixels
from ah_ray.pipeline.actors.decoder import DecodeSettings
from ah_ray.pipeline.actors.model_families import ReplicaSettings
from ah_ray.pipeline.actors.reducer import Commit
from ah_ray.pipeline.graph import Pools
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
    say: MessageCallback = print,
    replica_class: type | None = None,
) -> Stages:
    """Return the stages of a run with these settings."""
    scoring, settings = resolved.scoring, resolved.settings
    log = log or LogSettings()
    return Stages(
        decode=DecodeSettings(
            scoring=scoring,
            limits=settings.limits,
            require_cage=settings.require_cage,
            say=say,
            log=log,
        ),
        replicas=tuple(
            ReplicaSettings(
                model=str(model.place),
                base_fingerprint=model.fingerprint,
                adapters=settings.adapter,
                cache=model_cache(settings),
                scoring=scoring,
                n_gpus=resolved.gpus_per_replica,
                is_last=model is resolved.models[-1],
                keep_embeddings=settings.keep_embeddings and model is resolved.models[0],
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
    """Return the largest size of a clip in bytes."""
    profile, window_s = resolved.scoring.profile, resolved.scoring.windows.window_s
    n_frames = max(profile.min_frames, round(window_s * profile.fps))
    return round(n_frames * most_pixels(profile) * 3 + window_s * 16_000 * 4)
