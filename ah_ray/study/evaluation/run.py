"""An evaluation from settings to files: measure, show, write, and fit a calibration if asked."""

from __future__ import annotations

from rich.console import Console

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.results.calibration import Calibration, is_calibration, write_calibration
from ah_ray.results.outputs import config_in
from ah_ray.screen import say
from ah_ray.study.evaluation.bootstrap import Bootstrap
from ah_ray.study.evaluation.contents import Evaluation
from ah_ray.study.evaluation.evaluate import ALL, FIT_ON, evaluate
from ah_ray.study.evaluation.files import JSON_FILE, TABLE_FILE, write_evaluation
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.settings import EvaluateSettings
from ah_ray.study.evaluation.view import print_evaluation
from ah_ray.study.replaceable import check_replaceable
from ah_ray.units import counted


def run_evaluation(settings: EvaluateSettings, console: Console) -> Evaluation:
    """Nothing is written unless all of it can be made. Raises ConfigError, StorageError."""
    for out in settings.outs:  # before anything is made, also a folder of a name that was mistyped
        config_in(storage.normalise(out))
    _check_replaceable(settings)
    _check_writable(settings.folder)
    calibration = _fitted(settings)
    evaluation = evaluate(
        settings.outs,
        settings.labels,
        split=settings.split,
        bootstrap=Bootstrap(draws=settings.draws, seed=settings.seed),
    )
    if calibration is not None:
        write_calibration(settings.write_calibration, calibration)
    write_evaluation(settings.folder, evaluation)
    print_evaluation(console, evaluation)
    say(console, f"Written to {settings.folder}: {JSON_FILE}, {TABLE_FILE}.")
    if calibration is not None:
        say(console, _told(settings.write_calibration, calibration))
        if settings.split in (FIT_ON, ALL):
            say(
                console,
                f"Note: it is fitted to videos of {FIT_ON}, which are reported here, so these "
                "figures do not tell how good it is: judge it on another split.",
            )
    return evaluation


def _check_replaceable(settings: EvaluateSettings) -> None:
    """Better now than after the bootstrap."""
    if settings.write_calibration is None:
        return
    uri = storage.normalise(settings.write_calibration)
    if uri in {storage.join(settings.folder, name) for name in (JSON_FILE, TABLE_FILE)}:
        raise ConfigError(f"--write-calibration {uri}: the metrics go there; give another file")
    check_replaceable(
        "--write-calibration", uri, is_calibration, kind="calibration", out=settings.outs[0]
    )


def _check_writable(folder: str) -> None:
    try:
        storage.check_writable(folder)
    except ConfigError as error:
        raise ConfigError(f"{error}; name another folder with --to") from None


def _fitted(settings: EvaluateSettings) -> Calibration | None:
    if settings.write_calibration is None:
        return None
    return fit_calibration(
        settings.outs[0],
        settings.labels,
        reducer=settings.reducer,
        scaling_by=settings.scaling,
        threshold=settings.threshold,
    )


def _told(file: str, calibration: Calibration) -> str:
    scaling, fitted_on = calibration.scaling, calibration.fitted_on
    how = "no scaling"
    if scaling is not None:
        how = f"{calibration.scaling_by}: slope {scaling.slope:.3f}"
        how += f", intercept {scaling.intercept:.3f}" if scaling.intercept else ""
    return (
        f"Calibration {calibration.fingerprint} in {file}: {calibration.reducer}, {how}, threshold "
        f"{calibration.threshold:.3f} ({calibration.threshold_by}), fitted to "
        f"{counted(fitted_on.n_videos, 'video')} of "
        f"{counted(fitted_on.n_participants, 'participant')} in {fitted_on.split}. Give it to "
        "jobs/reduce.py or jobs/score.py as --calibration."
    )
