"""From the user's settings to what a run needs, with every mistake found before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ah_ray import storage
from ah_ray.config import Arithmetic, Device, ScoreSettings, Scoring
from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.checkpoint import TINY, find_checkpoint, fingerprint, model_name
from ah_ray.pipeline import cluster
from ah_ray.profile import load_profile
from ah_ray.results.reducers import parse_reducer


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Settings that have been checked against the world."""

    settings: ScoreSettings
    scoring: Scoring
    checkpoint: Path
    gpus_per_replica: float
    id_key: bytes | None


def resolve(settings: ScoreSettings) -> Resolved:
    """Reads the profile, the checkpoint and OUT's configuration; raises ConfigError."""
    parse_reducer(settings.reducer)
    profile = load_profile(settings.profile or (TINY if settings.model == TINY else "seed"))
    checkpoint = find_checkpoint(settings.model)
    gpus = _gpus_per_replica(settings)
    scoring = Scoring(
        model=model_name(settings.model),
        model_fingerprint=fingerprint(checkpoint),
        profile=profile,
        windows=settings.windows,
        arithmetic=_arithmetic(settings, on_gpu=gpus > 0),
    )
    return Resolved(
        settings=settings,
        scoring=scoring,
        checkpoint=checkpoint,
        gpus_per_replica=gpus,
        id_key=_id_key(settings),
    )


def _gpus_per_replica(settings: ScoreSettings) -> float:
    if settings.device is Device.AUTO:
        # A cluster that has scaled its GPUs down to none still has them.
        reachable = cluster.on_cluster() or cluster.has_local_gpu()
        return 1.0 if reachable and settings.model != TINY else 0.0
    return 1.0 if settings.device is Device.GPU else 0.0


def _arithmetic(settings: ScoreSettings, *, on_gpu: bool) -> Arithmetic:
    if settings.arithmetic is not None:
        return settings.arithmetic
    return Arithmetic.BF16 if on_gpu else Arithmetic.FLOAT32


def _id_key(settings: ScoreSettings) -> bytes | None:
    if settings.id_key is None:
        return None
    try:
        key = storage.read_bytes(settings.id_key).strip()
    except StorageError as error:
        raise ConfigError(f"--id-key: {error}") from None
    if len(key) < 16:
        raise ConfigError("--id-key: the file holds under 16 bytes; a key needs to be unguessable")
    return key
