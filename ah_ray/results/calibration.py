"""A calibration file: how one model's scores become verdicts, as learned from labelled videos.

`jobs/evaluate.py --write-calibration` writes it; score.py and reduce.py take it. It holds a
reducer, a scaling of the video's probability and a threshold, what scored the videos that they were
fitted to, and on which labels. It fits these scores alone: those of another model, profile, window
or arithmetic mean something else, so there it is refused.

Rows formed by it carry its fingerprint, of all that the verdicts follow from. It stands in the file
too, so that an edit of any of that is noticed. `scoring` is no part of it: it tells a person what
scored, and which scores the file fits is decided by `config_fingerprint`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ah_ray import storage
from ah_ray.config import Ensemble, Reduction, Scoring
from ah_ray.errors import ConfigError, StorageError
from ah_ray.profile import first_problem
from ah_ray.reduction import Scaling
from ah_ray.results.ensembles import digest
from ah_ray.results.outputs import Member, scoring_changes
from ah_ray.results.reducers import parse_reducer
from ah_ray.units import counted

_SCHEMA_VERSION = 1
_NOT_HASHED = {"fitted_at", "ah_ray_version", "scoring"}  # config_fingerprint stands for scoring


class FittedOn(BaseModel):
    """Which labelled videos."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_fingerprint: str  # of the labelled manifest
    split: str
    n_videos: int
    n_participants: int
    n_ah: int


class Calibration(BaseModel):
    """What the file says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = _SCHEMA_VERSION
    reducer: str
    scaling: Scaling | None  # null: probabilities stay as they are
    scaling_by: str  # none, temperature, platt
    threshold: float = Field(ge=0, le=1)  # of the scaled probability
    threshold_by: str  # fixed, macro-f1, base-rate
    config_fingerprint: str  # of the scores that it was fitted to
    scoring: Scoring
    fitted_on: FittedOn
    ah_ray_version: str
    fitted_at: datetime

    @property
    def fingerprint(self) -> str:
        """16 hex digits: the same if it is fitted again to the same scores and labels."""
        content = self.model_dump(mode="json", exclude=_NOT_HASHED)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def reduction(self) -> Reduction:
        return Reduction(
            reducer=self.reducer,
            threshold=self.threshold,
            scaling=self.scaling,
            calibration_fingerprint=self.fingerprint,
        )


class _File(Calibration):
    fingerprint_of_this: str


def write_calibration(uri: str, calibration: Calibration) -> None:
    """One JSON file, whole. Raises ConfigError if it cannot be written."""
    file = _File(**calibration.model_dump(), fingerprint_of_this=calibration.fingerprint)
    try:
        storage.write_whole(storage.normalise(uri), file.model_dump_json(indent=2).encode() + b"\n")
    except StorageError as error:
        raise ConfigError(f"--write-calibration {uri} cannot be written: {error}") from None


def is_calibration(content: bytes) -> bool:
    """Whether these bytes are such a file, edited or not."""
    try:
        _File(**json.loads(content))
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def read_calibration(uri: str) -> Calibration:
    """Raises ConfigError if it is none, is newer than this ah_ray, or was edited.

    An edit of what verdicts do not follow from is no harm, and not noticed.
    """
    try:
        fields = json.loads(storage.read_bytes(storage.normalise(uri)))
        _check_version(uri, fields)
        file = _File(**fields)
    except StorageError as error:
        raise ConfigError(f"--calibration {uri} cannot be read: {error}") from None
    except ValidationError as error:
        raise _no_calibration(uri, first_problem(error)) from None
    except (ValueError, TypeError, RecursionError):
        raise _no_calibration(uri, "not JSON as jobs/evaluate.py writes it") from None
    found = Calibration(**file.model_dump(exclude={"fingerprint_of_this"}))
    parse_reducer(found.reducer)
    if found.fingerprint != file.fingerprint_of_this:
        raise ConfigError(
            f"--calibration {uri} was edited since jobs/evaluate.py wrote it: what it says is no "
            "longer what was fitted; write it anew, with --threshold and --scaling as wanted"
        )
    return found


def _check_version(uri: str, fields: Any) -> None:
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > _SCHEMA_VERSION:
        raise ConfigError(f"--calibration {uri} was written by a newer ah_ray: update this one")


def _no_calibration(uri: str, problem: str) -> ConfigError:
    return ConfigError(f"--calibration {uri} is no calibration file ({problem})")


def calibrated(wanted: Reduction, files: Sequence[str], scored_by: Sequence[Member]) -> Reduction:
    """`wanted`, with verdicts formed by these files, one for each of the models that scored.

    A file brings reducer and threshold, so they may not be asked for besides; but a mean of several
    has a threshold of its own. Without files, `wanted` as it is. Raises ConfigError.
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
            f"--calibration is wanted {counted(len(scored_by), 'time')} and given "
            f"{counted(len(files), 'time')}: one for each model that scored, in their order"
        )
    each = tuple(_fitting(uri, scored) for uri, scored in zip(files, scored_by, strict=True))
    if not several:
        return each[0]
    fingerprint = digest([one.calibration_fingerprint for one in each])
    return wanted.model_copy(update={"members": each, "calibration_fingerprint": fingerprint})


def scored_by(scoring: Scoring, config_fingerprint: str | None = None) -> list[Member]:
    """The model that scored (as config.json tells it); or each of several, as if it had alone."""
    if not scoring.models:
        return [
            Member(scoring=scoring, config_fingerprint=config_fingerprint or scoring.fingerprint)
        ]
    return [Member(scoring=one, config_fingerprint=one.fingerprint) for one in scoring.each_alone()]


def _fitting(uri: str, scored: Member) -> Reduction:
    found = read_calibration(uri)
    if found.config_fingerprint != scored.config_fingerprint:
        changes = scoring_changes(found.scoring, scored.scoring) or "by another version of ah_ray"
        raise ConfigError(
            f"--calibration {uri} was fitted to other scores than those of model "
            f"{scored.scoring.model} ({changes}): fit one to these, with jobs/evaluate.py "
            "--write-calibration"
        )
    return found.reduction
