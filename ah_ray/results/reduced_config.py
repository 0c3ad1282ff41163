"""Checks what jobs/reduce.py is asked to do, and makes the configuration of its output."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray.config import Scoring
from ah_ray.errors import ConfigError
from ah_ray.output.config import OutputConfig, make_config, require_config
from ah_ray.provenance.learned_from import LearnedFrom, Use
from ah_ray.results.calibration import (
    apply_calibrations,
    calibrations_learned_from,
    scoring_members,
)
from ah_ray.results.ensembles import ensemble_config
from ah_ray.verdicts.reducers import parse_reducer
from ah_ray.verdicts.reduction import Ensemble, Reduction


def plan_reduction(
    inputs: Sequence[str], out: str, reduction: Reduction, calibrations: Sequence[str] = ()
) -> OutputConfig:
    """Return the configuration of the result. Raise ConfigError if it cannot be formed."""
    parse_reducer(reduction.reducer)
    if len(set(inputs)) < len(inputs):
        raise ConfigError("an input is named twice; it would count twice")
    if out in inputs:
        raise ConfigError(
            f"--out {out} is an input: new verdicts go to a folder of their own, where score.py "
            "can go on, too"
        )
    found = [_read_input(uri) for uri in inputs]
    members, scorings = [config for config, _ in found], [scoring for _, scoring in found]
    several_models = [uri for uri, m in zip(inputs, members, strict=True) if m.reduction.ensemble]
    if len(members) == 1 and not several_models and reduction.ensemble is not None:
        raise ConfigError("--ensemble needs two inputs or more, or one that several models scored")
    if len(members) > 1 or several_models:
        how = reduction.ensemble or Ensemble.VOTE
        reduction = reduction.model_copy(update={"ensemble": how})
    if len(members) > 1 and several_models:
        raise ConfigError(
            f"{several_models[0]} holds the scores of several models itself: reduce it alone"
        )
    if len(members) > 1:
        each = ensemble_config(members, reduction).members
        formed = ensemble_config(members, apply_calibrations(reduction, calibrations, each))
        return formed.model_copy(update={"learned_from": _learned_from(members, calibrations)})
    (one,), (scoring,) = members, scorings
    each = tuple(scoring_members(scoring, one.config_fingerprint))
    reduction = apply_calibrations(reduction, calibrations, each)
    # As score.py would make it with this reducer, so that score.py can continue in the output.
    return make_config(scoring, reduction).model_copy(
        update={
            "scoring_version": one.scoring_version,
            "config_fingerprint": one.config_fingerprint,
            "hide_uris": one.hide_uris,
            "learned_from": _learned_from(members, calibrations),
        }
    )


def _learned_from(
    members: Sequence[OutputConfig], calibrations: Sequence[str]
) -> tuple[LearnedFrom, ...]:
    """Return whose videos the models of all inputs know, and those of the new calibrations.

    The inputs' own calibrations have no part in the new verdicts.
    """
    of_models = (one for member in members for one in member.learned_from)
    kept = [one for one in of_models if one.use is not Use.CALIBRATION]
    return tuple(dict.fromkeys((*kept, *calibrations_learned_from(calibrations))))


def _read_input(uri: str) -> tuple[OutputConfig, Scoring]:
    config = require_config(uri)
    if config.scoring is None:
        raise ConfigError(f"{uri} is an ensemble itself ({config.describe()}); name its inputs")
    return config, config.scoring
