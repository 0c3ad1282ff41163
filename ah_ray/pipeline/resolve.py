"""From the user's settings to what a run needs, with every mistake found before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ah_ray import cluster
from ah_ray import cohort as cohorts
from ah_ray.cohort import Cohort
from ah_ray.cohort.id_key import read_id_key
from ah_ray.config import Arithmetic, Device, OneModel, Reduction, ScoreSettings, Scoring
from ah_ray.errors import ConfigError
from ah_ray.omni.adapter import read_adapter
from ah_ray.omni.adapter_fit import fit
from ah_ray.omni.checkpoint import (
    TINY,
    find_checkpoint,
    fingerprint,
    model_name,
    thinker_tensors,
)
from ah_ray.omni.folder import open_folder
from ah_ray.omni.local_copy import local_adapter
from ah_ray.omni.weight_names import weight_shapes
from ah_ray.pipeline.capacity import enough_gpus
from ah_ray.profile import load_profile
from ah_ray.results.calibration import calibrated, scored_by
from ah_ray.results.ensembles import digest
from ah_ray.results.reducers import parse_reducer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A model that scores the cohort, or one of several."""

    place: Path | str  # a directory, or the URI of one
    name: str
    fingerprint: str  # of the checkpoint, without adapters


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Settings that have been checked against the world."""

    settings: ScoreSettings
    scoring: Scoring
    reduction: Reduction
    models: tuple[Model, ...]  # each of which scores every clip
    gpus_per_replica: int  # 0: replicas run on CPUs
    id_key: bytes | None


def resolve(settings: ScoreSettings) -> Resolved:
    """Reads the profile, the checkpoints, their adapters and calibrations; raises ConfigError."""
    parse_reducer(settings.reducer)
    profile = load_profile(settings.profile or (TINY if set(settings.model) == {TINY} else "seed"))
    gpus = _gpus_per_replica(settings)
    arithmetic = _arithmetic(settings, on_gpu=gpus > 0)
    adapters = [local_adapter(adapter, model_cache(settings)) for adapter in settings.adapter]
    models = [
        _model(model, adapters, model_name(model, settings.adapter)) for model in settings.model
    ]
    _check_differ(settings.model, models)
    scoring = Scoring(
        model=" + ".join(model.name for model in models),
        model_fingerprint=_model_fingerprint(models, adapters),
        profile=profile,
        windows=settings.windows,
        arithmetic=arithmetic,
        models=tuple(OneModel(name=model.name, fingerprint=model.fingerprint) for model in models)
        if len(models) > 1
        else (),
    )
    return Resolved(
        settings=settings,
        scoring=scoring,
        reduction=calibrated(settings.reduction, settings.calibration, scored_by(scoring)),
        models=tuple(models),
        gpus_per_replica=gpus,
        id_key=read_id_key(settings.id_key),
    )


def _model(model: str, adapters: Sequence[Path], name: str) -> Model:
    place = find_checkpoint(model)
    _check_fit(place, adapters)
    return Model(place=place, name=name, fingerprint=fingerprint(place))


def _model_fingerprint(models: Sequence[Model], adapters: Sequence[Path]) -> str:
    if adapters:
        return fingerprint(models[0].place, adapters)
    prints = [model.fingerprint for model in models]
    return prints[0] if len(prints) == 1 else digest(prints)


def _check_differ(given: Sequence[str], models: Sequence[Model]) -> None:
    first: dict[str, str] = {}
    for name, model in zip(given, models, strict=True):
        if model.fingerprint in first:
            raise ConfigError(
                f"--model {first[model.fingerprint]} and {name} are the same model: it would count "
                "twice; leave one out"
            )
        first[model.fingerprint] = name


def model_cache(settings: ScoreSettings) -> Path | None:
    return Path(settings.model_cache) if settings.model_cache else None


def _check_fit(checkpoint: Path | str, adapters: Sequence[Path]) -> None:
    """Every key of the adapters finds its place in the model, or a ConfigError names it."""
    if adapters:
        tensors = thinker_tensors(open_folder(checkpoint))
        shapes = weight_shapes((tensor.name, tensor.shape) for tensor in tensors)
        fit([read_adapter(adapter) for adapter in adapters], shapes)


def _gpus_per_replica(settings: ScoreSettings) -> int:
    if _on_gpu(settings):
        each = settings.gpus_per_replica or 1
        if not cluster.on_cluster():
            here, n_models = cluster.local_gpus(), len(settings.model)
            enough_gpus(each, n_models=n_models, there=here, where="this machine")
        return each
    if settings.gpus_per_replica is not None:
        raise ConfigError(
            "--gpus-per-replica: this run would use no GPU; leave it out, or say --device gpu"
        )
    return 0


def _on_gpu(settings: ScoreSettings) -> bool:
    if settings.device is Device.AUTO:
        # A cluster that has scaled its GPUs down to none still has them.
        reachable = cluster.on_cluster() or cluster.local_gpus() > 0
        return reachable and set(settings.model) != {TINY}
    return settings.device is Device.GPU


def _arithmetic(settings: ScoreSettings, *, on_gpu: bool) -> Arithmetic:
    if settings.arithmetic is Arithmetic.FP8 and not on_gpu:
        raise ConfigError("--arithmetic fp8 needs a GPU (SM90 or newer); here give float32 or bf16")
    if settings.arithmetic is not None:
        return settings.arithmetic
    return Arithmetic.BF16 if on_gpu else Arithmetic.FLOAT32


def open_cohort(resolved: Resolved, out: str) -> Cohort:
    """The cohort as it is now."""
    settings = resolved.settings
    return cohorts.open_cohort(
        settings.videos, endings=settings.endings, id_key=resolved.id_key, exclude=out
    )
