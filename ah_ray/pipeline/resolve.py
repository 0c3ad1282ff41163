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
from ah_ray.omni.inputs.tokenizer_check import check_tokenizers
from ah_ray.omni.weights.adapter import read_adapter
from ah_ray.omni.weights.adapter_base import check_base
from ah_ray.omni.weights.adapter_fit import fit_adapters
from ah_ray.omni.weights.checkpoint import (
    TINY,
    find_checkpoint,
    fingerprint,
    list_thinker_tensors,
    name_model,
)
from ah_ray.omni.weights.download import fetch_adapter
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.training_record import choose_profile, models_learned_from
from ah_ray.omni.weights.weight_names import collect_weight_shapes
from ah_ray.pipeline.capacity import enough_gpus
from ah_ray.profile import Profile
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.records import DESCRIBED_BY
from ah_ray.results.calibration import (
    apply_calibrations,
    calibrations_learned_from,
    scoring_members,
)
from ah_ray.results.ensembles import hash_parts
from ah_ray.verdicts.reducers import find_reducer, list_reducers, parse_reducer


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
    models: tuple[Model, ...]  # each scores every clip
    gpus_per_replica: int  # 0: replicas run on CPUs
    id_key: bytes | None
    learned_from: tuple[LearnedFrom, ...] = ()  # whose videos models and calibrations know
    profile_reason: str = ""  # why it is this profile, where the user did not name one


def resolve(settings: ScoreSettings) -> Resolved:
    """Read the profile, the checkpoints, their adapters and calibrations. Raise ConfigError if one
    is wrong."""
    parse_reducer(settings.reducer)
    gpus = _gpus_per_replica(settings)
    arithmetic = _arithmetic(settings, on_gpu=gpus > 0)
    adapters = [fetch_adapter(adapter, model_cache(settings)) for adapter in settings.adapter]
    models = [_model(model, adapters, settings) for model in settings.model]
    _check_differ(settings.model, models)
    chosen = choose_profile(
        settings.profile,
        [
            (given, model.place, adapters)
            for given, model in zip(settings.model, models, strict=True)
        ],
        anyway=settings.profile_anyway,
    )
    profile = _select_questions(chosen.profile, settings.ask)
    for model in models:
        check_tokenizers(model.place, adapters, profile)
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
        reduction=apply_calibrations(
            settings.reduction, settings.calibration, scoring_members(scoring)
        ),
        models=tuple(models),
        gpus_per_replica=gpus,
        id_key=read_id_key(settings.id_key),
        learned_from=(
            *models_learned_from(*(model.place for model in models), *adapters),
            *calibrations_learned_from(settings.calibration),
        ),
        profile_reason=chosen.reason,
    )


def _select_questions(profile: Profile, names: Sequence[str]) -> Profile:
    """Return the profile with its first question and those of these names, or all without names.

    Raise ConfigError for a name or a reducer that does not exist.
    """
    if names:
        try:
            profile = profile.select_questions(names)
        except ValueError as error:
            raise ConfigError(f"--ask: {error}") from None
    for question in profile.complete_questions:
        if find_reducer(question.reducer) is None:
            raise ConfigError(
                f"profile {profile.name}: questions.{question.name}: there is no reducer "
                f"{question.reducer}; choose one of {list_reducers()}"
            )
    return profile


def _model(model: str, adapters: Sequence[Path], settings: ScoreSettings) -> Model:
    place = find_checkpoint(model)
    _check_fit(place, adapters)
    own = fingerprint(place)
    if adapters and not settings.any_base:
        check_base(place, [read_adapter(each) for each in adapters], base_fingerprint=own)
    return Model(place=place, name=name_model(model, settings.adapter), fingerprint=own)


def _model_fingerprint(models: Sequence[Model], adapters: Sequence[Path]) -> str:
    if adapters:
        return fingerprint(models[0].place, adapters)
    prints = [model.fingerprint for model in models]
    return prints[0] if len(prints) == 1 else hash_parts(prints)


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
    """Raise ConfigError that names a key of an adapter which the model does not have."""
    if adapters:
        tensors = list_thinker_tensors(open_folder(checkpoint))
        shapes = collect_weight_shapes((tensor.name, tensor.shape) for tensor in tensors)
        fit_adapters([read_adapter(adapter) for adapter in adapters], shapes)


def _gpus_per_replica(settings: ScoreSettings) -> int:
    if _on_gpu(settings):
        each = settings.gpus_per_replica or 1
        if not cluster.on_cluster():
            here, n_models = cluster.local_gpus(), len(settings.model)
            enough_gpus(each, n_models=n_models, there=here, where="this machine")
        return each
    if settings.gpus_per_replica is not None:
        raise ConfigError(
            "--gpus-per-replica: this run would use no GPU; leave it out, or give --device gpu"
        )
    return 0


def _on_gpu(settings: ScoreSettings) -> bool:
    if settings.device is Device.AUTO:
        # A cluster that has scaled its GPUs down to none still has them.
        reachable = cluster.on_cluster() or cluster.local_gpus() > 0
        return reachable and set(settings.model) != {TINY}
    return settings.device is Device.GPU


def _arithmetic(settings: ScoreSettings, *, on_gpu: bool) -> Arithmetic:
    named = settings.arithmetic
    if named is not None and named.is_fp8 and not on_gpu:
        raise ConfigError(
            f"--arithmetic {named} needs a GPU (SM90 or newer); here give float32 or bf16"
        )
    if named is not None:
        return named
    return Arithmetic.BF16 if on_gpu else Arithmetic.FLOAT32


def open_cohort(resolved: Resolved, out: str) -> Cohort:
    """Return the cohort as it is now."""
    settings = resolved.settings
    return cohorts.open_cohort(
        settings.videos,
        endings=settings.endings,
        id_key=resolved.id_key,
        exclude=out,
        keep=(*DESCRIBED_BY, *settings.group_by),
        hide_names=settings.hide_uris,
    )
