"""A calibration file: how one model's scores become verdicts, fitted to labelled videos.

`jobs/evaluate.py --write-calibration` writes it; score.py and reduce.py read it. It holds a
reducer, a scaling of the video's probability and a threshold, and the scores and labels that they
were fitted to; and, where labels say when in a video A/H occurs, a scaling of each clip's
probability, which comes before the reducer. It is valid for these scores only: scores of another
model, profile, window or arithmetic mean something else, so the file is refused for them.

Rows that it formed hold its fingerprint, which covers everything that changes a verdict. The
fingerprint is in the file too, so that edits are noticed. It does not cover `scoring`, which tells
people what scored the videos; `config_fingerprint` decides which scores the file is valid for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from ah_ray import storage
from ah_ray.config import Scoring
from ah_ray.errors import ConfigError, StorageError
from ah_ray.output.config import Member, describe_changes
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.results.ensembles import hash_parts
from ah_ray.units import format_count
from ah_ray.validation import FrozenModel, first_problem
from ah_ray.verdicts.reducers import parse_reducer
from ah_ray.verdicts.reduction import Ensemble, IsotonicScaling, Reduction, Scaling

SCHEMA_VERSION = 2
_WITHOUT_CLIPS = 1
"""The version of a file that scales no clips."""
_NOT_SCALED = "none"
_OF_CLIPS = {"clip_scaling", "clip_scaling_by", "clips_fitted_on"}
_NOT_HASHED = {"fitted_at", "ah_ray_version", "scoring"}  # config_fingerprint covers scoring


class FittedOn(FrozenModel):
    """The labelled videos that a calibration was fitted to."""

    data_fingerprint: str  # of the labelled manifest
    split: str
    n_videos: int
    n_participants: int
    n_ah: int


class FittedOnClips(FrozenModel):
    """The clips of these videos whose label is known, to which a scaling of clips was fitted."""

    n_clips: int
    n_ah_clips: int
    n_videos: int
    n_participants: int


class Calibration(FrozenModel):
    """The content of a calibration file."""

    schema_version: int = _WITHOUT_CLIPS
    clip_scaling: Scaling | IsotonicScaling | None = None  # of each clip, before the reducer
    clip_scaling_by: str = _NOT_SCALED  # as scaling_by
    clips_fitted_on: FittedOnClips | None = None  # null: no scaling of clips was fitted
    reducer: str
    scaling: Scaling | IsotonicScaling | None  # null: probabilities stay as they are
    scaling_by: str  # none, temperature, platt, isotonic
    threshold: float = Field(ge=0, le=1)  # of the scaled probability
    threshold_by: str  # fixed, macro-f1, base-rate
    config_fingerprint: str  # of the scores that it was fitted to
    scoring: Scoring
    fitted_on: FittedOn
    learned_from: LearnedFrom | None = None  # null in files of earlier versions
    ah_ray_version: str
    fitted_at: datetime

    @property
    def fingerprint(self) -> str:
        """Return 16 hex digits, equal if it is fitted again to the same scores and labels."""
        unknown = {"learned_from"} if self.learned_from is None else set()
        unknown |= self.not_in_file
        content = self.model_dump(mode="json", exclude=_NOT_HASHED | unknown)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def not_in_file(self) -> set[str]:
        """Return the fields that a file of this calibration does not have."""
        is_plain = (
            self.clip_scaling is None
            and self.clips_fitted_on is None
            and self.clip_scaling_by == _NOT_SCALED
        )
        return _OF_CLIPS if is_plain else set()

    @property
    def reduction(self) -> Reduction:
        """Return how one model's clips become verdicts by this calibration."""
        return Reduction(
            clip_scaling=self.clip_scaling,
            reducer=self.reducer,
            threshold=self.threshold,
            scaling=self.scaling,
            calibration_fingerprint=self.fingerprint,
        )


class _File(Calibration):
    fingerprint_of_this: str


def write_calibration(uri: str, calibration: Calibration) -> None:
    """Write a calibration to a JSON file. Raise ConfigError if it cannot be written."""
    file = _File(**calibration.model_dump(), fingerprint_of_this=calibration.fingerprint)
    try:
        text = file.model_dump_json(indent=2, exclude=calibration.not_in_file)
        storage.write_whole(storage.normalise(uri), text.encode() + b"\n")
    except StorageError as error:
        raise ConfigError(f"--write-calibration {uri} cannot be written: {error}") from None


def is_calibration(content: bytes) -> bool:
    """Return whether these bytes are a calibration file, edited or not."""
    try:
        _File(**json.loads(content))
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def read_calibration(uri: str) -> Calibration:
    """Return the calibration in a file. Raise ConfigError if it is none, too new, or was edited.

    Edits of fields that do not change verdicts are harmless, and are not noticed.
    """
    try:
        fields = json.loads(storage.read_bytes(storage.normalise(uri)))
        _check_version(uri, fields)
        file = _File(**fields)
    except StorageError as error:
        raise ConfigError(f"--calibration {uri} cannot be read: {error}") from None
    except ValidationError as error:
        raise _not_a_calibration(uri, first_problem(error)) from None
    except (ValueError, TypeError, RecursionError):
        raise _not_a_calibration(uri, "not JSON as jobs/evaluate.py writes it") from None
    found = Calibration(**file.model_dump(exclude={"fingerprint_of_this"}))
    parse_reducer(found.reducer)
    if found.fingerprint != file.fingerprint_of_this:
        raise ConfigError(
            f"--calibration {uri} was edited since jobs/evaluate.py wrote it: what it says is no "
            "longer what was fitted; write it again, with --threshold and --scaling as wanted"
        )
    return found


def _check_version(uri: str, fields: Any) -> None:
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(f"--calibration {uri} was written by a newer ah_ray: update this one")


def _not_a_calibration(uri: str, problem: str) -> ConfigError:
    return ConfigError(f"--calibration {uri} is no calibration file ({problem})")


def apply_calibrations(
    wanted: Reduction, files: Sequence[str], scored_by: Sequence[Member]
) -> Reduction:
    """Return `wanted` with these calibration files applied, one for each model that scored.

    A file sets reducer and threshold, so `wanted` must not set them too; but a mean of several
    models has a threshold of its own. Without files, return `wanted`. Raise ConfigError if the
    files do not fit.
    """
    if not files:
        return wanted
    several = len(scored_by) > 1
    own = {"threshold"} if several and wanted.ensemble is not Ensemble.VOTE else set()
    for name in ("reducer", "threshold"):
        if name in wanted.model_fields_set - own:
            raise ConfigError(f"--calibration says the {name}: leave out --{name}")
    if len(files) != len(scored_by):
        raise ConfigError(
            f"--calibration is wanted {format_count(len(scored_by), 'time')} and given "
            f"{format_count(len(files), 'time')}: one for each model that scored, in their order"
        )
    each = tuple(_read_fitting(uri, scored) for uri, scored in zip(files, scored_by, strict=True))
    if not several:
        return each[0]
    fingerprint = hash_parts([one.calibration_fingerprint or "" for one in each])
    return wanted.model_copy(update={"members": each, "calibration_fingerprint": fingerprint})


def calibrations_learned_from(files: Sequence[str]) -> tuple[LearnedFrom, ...]:
    """Return whose videos calibration files were fitted to. Raise ConfigError."""
    return tuple(
        one.learned_from.model_copy(update={"by": f"calibration {one.fingerprint}"})
        for one in map(read_calibration, files)
        if one.learned_from is not None
    )


def scoring_members(scoring: Scoring, config_fingerprint: str | None = None) -> list[Member]:
    """Return the model that scored (as in config.json), or each of several as if alone."""
    if not scoring.models:
        return [
            Member(scoring=scoring, config_fingerprint=config_fingerprint or scoring.fingerprint)
        ]
    return [Member(scoring=one, config_fingerprint=one.fingerprint) for one in scoring.each_alone()]


def _read_fitting(uri: str, scored: Member) -> Reduction:
    found = read_calibration(uri)
    if found.config_fingerprint != scored.config_fingerprint:
        changes = describe_changes(found.scoring, scored.scoring) or "by another version of ah_ray"
        raise ConfigError(
            f"--calibration {uri} was fitted to other scores than those of model "
            f"{scored.scoring.model} ({changes}): fit one to these, with jobs/evaluate.py "
            "--write-calibration"
        )
    return found.reduction
