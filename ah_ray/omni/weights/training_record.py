"""Find the profile that a model was trained with, from what its training wrote beside its weights.

    merge.json      of jobs/merge.py: the record of the last adapter, or of the base
    args.json       of ms-swift: its version and its sizes
    training.json   of jobs/train.py: the whole profile

The record of the last training counts: an adapter's before its base's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.weights.checkpoint import TINY
from ah_ray.omni.weights.model_files import Folder, open_folder
from ah_ray.omni.weights.swift_record import load_profile_of_args
from ah_ray.profile import Profile, ScaleIn, load_profile
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.validation import first_problem

LEARNED_FROM = "learned_from"
SWIFT, OURS, MERGED = "args.json", "training.json", "merge.json"

_PROMPT = {"system", "user"}  # ms-swift takes them from its data, which args.json does not hold
_EITHER = {"name", "floor_positions"}  # ms-swift itself floors when it trains, not when it infers


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """How a model was trained, as far as its record says."""

    file: str  # such as `args.json of my-adapter`
    by: str  # such as `ms-swift 4.6.0`
    profile: Profile | None  # None: no known profile is the same
    problem: str = ""  # why there is no profile
    unknown_fields: frozenset[str] = frozenset()  # fields of the profile that it does not record

    def list_differences(self, profile: Profile) -> list[str]:
        """Return how a profile differs from the record, each as `name its value → the record's`."""
        if self.profile is None:
            return []
        theirs, ours = _describe_training(self.profile), _describe_training(profile)
        left_out = self.unknown_fields | _EITHER
        if "user" in left_out:  # the answers are part of the prompt
            left_out |= {"answers"}
        common = [name for name in theirs if name not in left_out]
        return [
            f"{name} {_shorten(ours[name])} → {_shorten(theirs[name])}"
            for name in common
            if ours[name] != theirs[name]
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the record for `merge.json`, which `read_training_record` reads."""
        return {
            "by": self.by,
            "profile": self.profile and self.profile.model_dump(mode="json"),
            "problem": self.problem,
            "not_told": sorted(self.unknown_fields),
        }


@dataclass(frozen=True, slots=True)
class ProfileChoice:
    """The profile of a run, and the reason for it."""

    profile: Profile
    reason: str = ""  # for the user; empty if no record decided


def choose_profile(
    given: str | None,
    models: Sequence[tuple[str, Path | str, Sequence[Path]]],
    *,
    anyway: bool = False,
    binding: bool = True,
) -> ProfileChoice:
    """Return the profile for a run with these models: (--model, where it lies, adapters).

    Without a `given` profile the models' records decide; where there is no record it is `seed`, or
    `tiny` for the model `tiny`. That model may be shown anything, as it is for demonstrations.
    Raise ConfigError if the records disagree, if no profile can follow them, or if they contradict
    the given one. The last is no error with `anyway`, or if the records are not `binding`.
    """
    folders = [(*(() if name == TINY else (place,)), *adapters) for name, place, adapters in models]
    records = [record for each in folders if (record := find_training_record(*each))]
    if given is not None:
        profile = load_profile(given)
        for record in records:
            if binding and not anyway and (differences := record.list_differences(profile)):
                raise ConfigError(
                    f"--profile {given} is not how the model was trained: {record.file} says "
                    f"{record.by}, which is profile {record.profile and record.profile.name} "
                    f"({', '.join(differences)}); leave --profile out, or give --profile-anyway"
                )
        return ProfileChoice(profile)
    profiles: list[Profile] = []
    for record in records:
        if record.profile is None:
            raise ConfigError(
                f"{record.file} does not tell which profile to use ({record.problem}); name one "
                "with --profile"
            )
        profiles.append(record.profile)
    if not records:
        is_tiny = {name for name, _, _ in models} == {TINY}
        return ProfileChoice(load_profile(TINY if is_tiny else "seed"))
    first, profile = records[0], profiles[0]
    for record in records[1:]:
        if differences := record.list_differences(profile):
            raise ConfigError(
                f"the models were trained in different ways: {first.file} says "
                f"{first.by}, {record.file} says {record.by} ({', '.join(differences)}); "
                "score them one by one and combine the outputs (jobs/reduce.py), or name one "
                "--profile with --profile-anyway"
            )
    return ProfileChoice(profile, f"{first.file} says {first.by}")


def find_training_record(*folders: Path | str) -> TrainingRecord | None:
    """Return the last record of a model and its adapters, in order; None if there is none."""
    for folder in reversed(folders):
        if (record := read_training_record(open_folder(folder))) is not None:
            return record
    return None


def read_training_record(folder: Folder) -> TrainingRecord | None:
    """Return the record of a folder's training, or of the merge that made it, or None."""
    name = Path(str(folder.place)).name
    for file, reading in ((MERGED, _read_merged), (SWIFT, _read_swift), (OURS, _read_ours)):
        if file not in folder:
            continue
        where = f"{file} of {name}"
        try:
            fields = folder.read_json(file)
        except (ValueError, StorageError):
            return TrainingRecord(file=where, by="", profile=None, problem="it cannot be read")
        if isinstance(fields, dict) and (record := reading(where, fields)) is not None:
            return record
        if file == MERGED:
            return None  # the records beside it were copied from the base and miss the adapters
    return None


def models_learned_from(*folders: Path | str) -> tuple[LearnedFrom, ...]:
    """Return whose videos models and adapters were trained on, as far as their records say.

    Unlike the profile, which the last training decides, all trainings before it count too.
    """
    found: list[LearnedFrom] = []
    for place in folders:
        folder = open_folder(place)
        merged = _learned_from(folder, MERGED)  # of all that was merged; beside it lies the base's
        found += merged or _learned_from(folder, OURS)
    return tuple(dict.fromkeys(found))


def _learned_from(folder: Folder, file: str) -> list[LearnedFrom]:
    if file not in folder:
        return []
    try:
        fields = folder.read_json(file)
        records = fields.get(LEARNED_FROM) if isinstance(fields, dict) else None
        found = [LearnedFrom(**one) for one in records or ()]
    except (ValueError, TypeError, StorageError):
        raise ConfigError(
            f"{file} of {Path(str(folder.place)).name} is damaged where it says whose videos the "
            "model was trained on: restore it from a copy"
        ) from None
    name = Path(str(folder.place)).name
    return [one if one.by else one.model_copy(update={"by": f"model {name}"}) for one in found]


def _read_merged(where: str, fields: Mapping[str, Any]) -> TrainingRecord | None:
    trained = fields.get("trained")
    if not isinstance(trained, Mapping):
        return None
    unknown_fields = trained.get("not_told")
    return _make_record(
        where,
        str(trained.get("by", ""))[:100],
        trained.get("profile"),
        problem=str(trained.get("problem", ""))[:200],
        unknown_fields=unknown_fields if isinstance(unknown_fields, list) else (),
    )


def _read_swift(where: str, fields: Mapping[str, Any]) -> TrainingRecord | None:
    if "swift_version" not in fields:
        return None  # many tools write an args.json
    by = f"ms-swift {str(fields['swift_version'])[:40]}"
    try:
        profile = load_profile_of_args(fields)
    except ConfigError as error:
        return TrainingRecord(file=where, by=by, profile=None, problem=str(error))
    return TrainingRecord(file=where, by=by, profile=profile, unknown_fields=frozenset(_PROMPT))


def _read_ours(where: str, fields: Mapping[str, Any]) -> TrainingRecord | None:
    settings = fields.get("settings")
    named = settings.get("profile") if isinstance(settings, Mapping) else None
    if not isinstance(named, str):
        return None
    by = f"jobs/train.py with profile {named[:100]}"
    if "profile" in fields:
        return _make_record(where, by, fields["profile"])
    profile = _load_version_1_profile(named)
    problem = "" if profile else f"it names the profile {named[:100]} and not what is in it"
    return TrainingRecord(file=where, by=by, profile=profile, problem=problem)


def _make_record(
    where: str,
    by: str,
    content: object,
    *,
    problem: str = "",
    unknown_fields: Sequence[object] = (),
) -> TrainingRecord:
    """Return a record with a whole profile, or without one and with the reason."""
    profile: Profile | None = None
    if isinstance(content, Mapping):
        try:
            profile = Profile(**{str(name): of for name, of in content.items()})
            problem = ""
        except ValidationError as error:
            problem = f"its profile: {first_problem(error)}"
    elif content is not None or not problem:
        problem = "its profile is damaged"
    return TrainingRecord(
        file=where,
        by=by,
        profile=profile,
        problem=problem,
        unknown_fields=frozenset(map(str, unknown_fields)),
    )


def _load_version_1_profile(named: str) -> Profile | None:
    """Return a built-in profile as it was when trainings recorded only its name.

    Profiles then sized once, by factor 32, and scaled in YUV.
    """
    if named == TINY:
        return load_profile(TINY)
    if named not in ("seed", "seed-448"):
        return None
    before: dict[str, object] = {"scale_in": ScaleIn.YUV, "name": f"{named} (scoring version 1)"}
    if named == "seed-448":
        before["max_pixels"] = 448**2
    return load_profile("seed-32").model_copy(update=before)


def _describe_training(profile: Profile) -> dict[str, Any]:
    """Return what a model must have been trained with: of several questions, the first one."""
    first = profile.complete_questions[0]
    fields = profile.model_dump(mode="json", exclude={"construct_name", "questions", "contrasts"})
    return fields | {"user": profile.user_text(first), "answers": " / ".join(first.answers)}


def _shorten(value: object) -> str:
    if isinstance(value, Mapping):
        value = " ".join(f"{name}={of}" for name, of in value.items())
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
