"""Whether inputs can be reduced as it is wanted, and the configuration of what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

from ah_ray.config import Ensemble, Reduction
from ah_ray.errors import ConfigError
from ah_ray.results.calibration import calibrated, scored_by
from ah_ray.results.ensembles import ensemble_config
from ah_ray.results.outputs import Member, OutputConfig, config_in, config_of
from ah_ray.results.reducers import parse_reducer


def reduced_config(
    inputs: Sequence[str], out: str, reduction: Reduction, calibrations: Sequence[str] = ()
) -> OutputConfig:
    """The configuration of the result. Raises ConfigError if this cannot be formed."""
    parse_reducer(reduction.reducer)
    if len(set(inputs)) < len(inputs):
        raise ConfigError("an input is named twice; it would count twice")
    if out in inputs:
        raise ConfigError(
            f"--out {out} is an input: new verdicts go to a folder of their own, where score.py "
            "can go on, too"
        )
    members = [_input_config(uri) for uri in inputs]
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
        each = [Member(scoring=m.scoring, config_fingerprint=m.config_fingerprint) for m in members]
        return ensemble_config(members, calibrated(reduction, calibrations, each))
    (one,) = members
    each = scored_by(one.scoring, one.config_fingerprint)
    reduction = calibrated(reduction, calibrations, each)
    # As score.py would make it with this reducer, so that the output can go on being scored into.
    return config_of(one.scoring, reduction).model_copy(
        update={
            "scoring_version": one.scoring_version,
            "config_fingerprint": one.config_fingerprint,
            "hide_uris": one.hide_uris,
        }
    )


def _input_config(uri: str) -> OutputConfig:
    config = config_in(uri)
    if config.scoring is None:
        raise ConfigError(f"{uri} is an ensemble itself ({config.described()}); name its inputs")
    return config
