"""An evaluation from settings to files: measure, print, write, and fit a calibration if asked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rich.console import Console

from ah_ray import storage
from ah_ray.cli.screen import say
from ah_ray.cohort.id_key import read_id_key
from ah_ray.errors import ConfigError
from ah_ray.output.config import require_config
from ah_ray.provenance.learned_from import LearnedFrom
from ah_ray.results.calibration import Calibration, is_calibration, write_calibration
from ah_ray.study.evaluation.answers.question_evaluation import evaluate_question
from ah_ray.study.evaluation.answers.question_lookup import find_question
from ah_ray.study.evaluation.answers.schema import JudgedQuestion
from ah_ray.study.evaluation.evaluate import evaluate
from ah_ray.study.evaluation.figures.bootstrap import Bootstrap
from ah_ray.study.evaluation.files import JSON_FILE, TABLE_FILE, write_evaluation
from ah_ray.study.evaluation.fit_calibration import fit_calibration
from ah_ray.study.evaluation.protocol import print_protocol, protocol_figures, write_protocol
from ah_ray.study.evaluation.reported_videos import FIT_ON
from ah_ray.study.evaluation.schema import Evaluation
from ah_ray.study.evaluation.settings import ALL, EvaluateSettings
from ah_ray.study.evaluation.validity.gate import judge
from ah_ray.study.evaluation.validity.leaks import read_trained_on
from ah_ray.study.evaluation.validity.locked_plan import Plan, check_plan, open_split, read_plan
from ah_ray.study.evaluation.validity.planned import measure_plan
from ah_ray.study.evaluation.validity.view import print_analysis, print_gate
from ah_ray.study.evaluation.view.page import print_evaluation
from ah_ray.study.replaceable import check_replaceable
from ah_ray.units import format_count
from ah_ray.verdicts.reduction import IsotonicScaling, Scaling


def run_evaluation(settings: EvaluateSettings, console: Console) -> Evaluation:
    """Measure, write and print. Nothing is written unless all of it can be made.

    Raise ConfigError, StorageError.
    """
    for out in settings.measured:  # first, so that a mistyped name creates no folder
        require_config(storage.normalise(out))
    plan = None if settings.plan is None else read_plan(settings.plan)
    if plan is not None and settings.question is None:
        settings = _take_question(settings, plan)
    _check_replaceable(settings)
    _check_writable(settings.folder)
    split = _split(settings, plan)
    question = _find_question(settings, plan)
    trained_on = _trained_on(settings)
    calibration = _fit_calibration(settings)
    analysis = open_split(
        settings.measured, settings.labels, split, plan, None if question is None else question.name
    )
    measure = evaluate if question is None else partial(evaluate_question, question)
    evaluation = measure(
        settings.measured,
        settings.labels,
        split=split,
        bootstrap=Bootstrap(draws=settings.draws, seed=settings.seed),
        group_by=settings.group_by,
        trained_on=trained_on,
    )
    if plan is not None:
        level = evaluation.bootstrap.level
        planned = measure_plan(plan, settings.outs, settings.labels, level, question)
        analysis = replace(analysis, planned=planned)
    gate = None if settings.gate is None else judge(evaluation)
    evaluation = replace(evaluation, analysis=analysis, gate=gate)
    protocol = None
    if settings.protocol:
        protocol = protocol_figures(settings, evaluation, trained_on)
    if calibration is not None and settings.write_calibration is not None:
        write_calibration(settings.write_calibration, calibration)
    write_evaluation(settings.folder, evaluation)
    if protocol is not None:
        write_protocol(settings.folder, protocol)
        print_analysis(console, analysis, evaluation.construct)
        print_protocol(console, protocol)
    else:
        print_evaluation(console, evaluation)
    say(console, f"Written to {settings.folder}: {JSON_FILE}, {TABLE_FILE}.")
    if gate is not None:
        print_gate(console, gate)
    if calibration is not None:
        file = settings.write_calibration or ""
        say(console, _calibration_line(file, calibration, evaluation.construct))
        if split in (FIT_ON, ALL):
            say(
                console,
                f"Note: it is fitted to videos of {FIT_ON}, which are reported here, so these "
                "figures do not tell how good it is: judge it on another split.",
            )
    return evaluation


def _split(settings: EvaluateSettings, plan: Plan | None) -> str:
    if plan is None:
        return settings.reported_split
    if "split" in settings.model_fields_set and settings.split != plan.split:
        raise ConfigError(
            f"--split {settings.split} is not the split of --plan ({plan.split}): leave --split out"
        )
    return plan.split


def _take_question(settings: EvaluateSettings, plan: Plan) -> EvaluateSettings:
    """Return the settings with the plan's question.

    Raise ConfigError if they ask for something that is about verdicts.
    """
    for name in ("protocol", "write_calibration"):
        if plan.question is not None and getattr(settings, name) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')} is about verdicts, and --plan about the question "
                f"{plan.question}: leave one of them out"
            )
    return settings.model_copy(update={"question": plan.question})


def _find_question(settings: EvaluateSettings, plan: Plan | None) -> JudgedQuestion | None:
    """Return the question that is judged; None for that of the verdicts.

    Raise ConfigError if the plan is about another one, which it does not cover.
    """
    found, planned = (
        None if name is None else find_question(name, settings.measured)
        for name in (settings.question, None if plan is None else plan.question)
    )
    if plan is not None and found != planned:
        about = f"the question {planned.name}" if planned else "verdicts"
        remedy = f"give --question {planned.name}" if planned else "leave --question out"
        raise ConfigError(
            f"--plan is about {about}, and covers no other question: {remedy}, or write a plan "
            f"with `question: {settings.question}`"
        )
    if plan is not None:
        check_plan(plan, found)
    return found


def _trained_on(settings: EvaluateSettings) -> tuple[LearnedFrom, ...]:
    if settings.trained_on is None:
        return ()
    return read_trained_on(settings.trained_on, read_id_key(settings.id_key))


def _check_replaceable(settings: EvaluateSettings) -> None:
    """Raise ConfigError, before anything is measured, if a file would replace something else."""
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


def _fit_calibration(settings: EvaluateSettings) -> Calibration | None:
    if settings.write_calibration is None:
        return None
    return fit_calibration(
        settings.outs[0],
        settings.labels,
        reducer=settings.reducer,
        clip_scaling_by=settings.clip_scaling,
        scaling_by=settings.scaling,
        threshold=settings.threshold,
    )


def _scaling_words(scaling: Scaling | IsotonicScaling | None, by: str) -> str:
    if isinstance(scaling, IsotonicScaling):
        return f"{by}: a curve of {format_count(len(scaling.p), 'point')}"
    if scaling is None:
        return "no scaling"
    how = f"{by}: slope {scaling.slope:.3f}"
    return how + (f", intercept {scaling.intercept:.3f}" if scaling.intercept else "")


def _calibration_line(file: str, calibration: Calibration, construct: str) -> str:
    """Return what was fitted, with a threshold that can be given to another run as it stands."""
    fitted_on, clips = calibration.fitted_on, calibration.clips_fitted_on
    how = _scaling_words(calibration.scaling, calibration.scaling_by)
    of_clips = ""
    if clips is not None:
        of_clips = (
            f"clips by {_scaling_words(calibration.clip_scaling, calibration.clip_scaling_by)} "
            f"(fitted to {format_count(clips.n_clips, 'clip')}, {clips.n_ah_clips:,} of them "
            f"{construct}), "
        )
    return (
        f"Calibration {calibration.fingerprint} in {file}: {of_clips}{calibration.reducer}, {how}, "
        "threshold "
        f"{calibration.threshold!r} ({calibration.threshold_by}), fitted to "
        f"{format_count(fitted_on.n_videos, 'video')} of "
        f"{format_count(fitted_on.n_participants, 'participant')} in {fitted_on.split}. Give it to "
        "jobs/reduce.py or jobs/score.py as --calibration."
    )
